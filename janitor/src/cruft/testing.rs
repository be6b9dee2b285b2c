//! A small machine below a folder, with the programs that run on real ones.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{Duration, SystemTime};

use gentoo_updater_runtime::manifest;
use serde_json::{Value, json};
use tempfile::TempDir;

/// The run that all is about.
pub(super) const RUN: &str = "01900000-0000-7000-8000-000000000001";
const STATE: &str = "var/lib/gentoo-updater";

/// A machine.
pub(super) struct Machine(TempDir);

impl Machine {
    /// With a package, a folder of configuration, and a database; a manifest was made, and a build goes
    /// on from now on until the machine is cleaned.
    pub(super) fn building() -> Self {
        let machine = Self(TempDir::new().unwrap());
        machine.write("etc/old.conf", "old");
        machine.write("var/lib/database/base", "rows");
        for folder in ["usr/lib64", "var/cache", "opt"] {
            fs::create_dir_all(machine.path(folder)).unwrap();
        }
        std::os::unix::fs::symlink("lib64", machine.path("usr/lib")).unwrap();
        machine.install("a/old-1", "obj /etc/old.conf x 1\n");
        machine.manifest();
        machine.write(machine.of_run("before-builder"), "a/old-1 - -\n");
        machine.write(machine.of_run("builds/one.1/before"), "");
        machine
    }

    pub(super) fn path(&self, path: impl AsRef<Path>) -> PathBuf {
        self.0.path().join(path)
    }

    /// A file of the run.
    pub(super) fn of_run(&self, name: &str) -> String {
        format!("{STATE}/runs/{RUN}/{name}")
    }

    pub(super) fn write(&self, path: impl AsRef<Path>, text: &str) {
        let file = self.path(path);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, text).unwrap();
    }

    /// Makes a file so old, in seconds.
    pub(super) fn make_old(&self, path: &str, age: u64) {
        let then = SystemTime::now() - Duration::from_secs(age);
        let file = fs::File::options().write(true).open(self.path(path));
        file.unwrap().set_modified(then).unwrap();
    }

    fn age(&self, path: &str) -> Option<u64> {
        let written = self.path(path).metadata().ok()?.modified().unwrap();
        let age = SystemTime::now().duration_since(written);
        Some(age.map_or(0, |age| age.as_secs()))
    }

    pub(super) fn read(&self, path: &str) -> String {
        fs::read_to_string(self.path(path)).unwrap()
    }

    pub(super) fn has(&self, path: impl AsRef<Path>) -> bool {
        self.path(path).symlink_metadata().is_ok()
    }

    /// Installs a package with these CONTENTS.
    pub(super) fn install(&self, cpv: &str, contents: &str) {
        self.write(format!("var/db/pkg/{cpv}/CONTENTS"), contents);
    }

    /// All below a folder: paths with modes, owners, sizes and contents.
    pub(super) fn tree(&self, folder: &str) -> Vec<String> {
        let mut all = Vec::new();
        let mut left = vec![self.path(folder)];
        while let Some(path) = left.pop() {
            let Ok(entries) = fs::read_dir(path) else {
                continue;
            };
            for entry in entries {
                let path = entry.unwrap().path();
                if path.ends_with(STATE) || path.ends_with("var/db/pkg") {
                    continue;
                }
                let status = path.symlink_metadata().unwrap();
                let content = match (status.is_file(), status.is_symlink()) {
                    (true, _) => format!("{:?}", fs::read(&path).unwrap()),
                    (_, true) => format!("{:?}", fs::read_link(&path).unwrap()),
                    _ => String::new(),
                };
                let (mode, uid) = (status.permissions().mode(), status.uid());
                all.push(format!("{path:?} {mode:o} {uid} {content}"));
                if status.is_dir() {
                    left.push(path);
                }
            }
        }
        all.sort();
        all
    }

    fn document(&self, more: Value) -> String {
        let mut document = json!({
            "root": self.0.path(), "state": format!("/{STATE}"), "run": RUN,
            "folders": ["/etc", "/usr", "/var", "/opt"],
            "left_out": [format!("/{STATE}"), "/var/db/pkg"],
            "archive": true, "sandbox": false, "packages": [],
        });
        for (key, value) in more.as_object().unwrap() {
            document[key] = value.clone();
        }
        document.to_string()
    }

    /// Runs a program of Python; `words` come before the document.
    pub(super) fn python(&self, program: &str, words: &[&str], more: Value) -> Output {
        let mut command = Command::new("python3");
        command.args(["-I", "-c", program]).args(words);
        command.arg(self.document(more)).env("LC_ALL", "C.UTF-8");
        command.output().unwrap()
    }

    pub(super) fn manifest(&self) {
        let make = include_str!("../../../shared/runtime/src/manifest/make.py");
        succeeded(self.python(&format!("{}{make}", manifest::FILES), &[], json!({})));
    }

    /// What is done before packages are removed.
    pub(super) fn note(&self, packages: &[&str]) {
        succeeded(self.clean("note", json!({ "packages": packages }), ""));
    }

    /// Archives and removes, and gives what is told of it.
    pub(super) fn sweep(&self, more: Value) -> Value {
        succeeded(self.clean("clean", more, ""));
        serde_json::from_str(&self.read(&self.of_run("cruft.json"))).unwrap()
    }

    /// Runs the program with lines of Python between its definitions and its main part.
    pub(super) fn clean(&self, what: &str, more: Value, patch: &str) -> Output {
        let after = self.of_run("builds/one.1/after");
        let has_ended = self.has(&after) || self.has(self.of_run("builds/one.1/emerge.log"));
        if !has_ended || self.age(&after).is_some_and(|age| age < 60) {
            self.write(&after, "");
        }
        let program = include_str!("machine/clean.py")
            .replace("if __name__ == ", &format!("{patch}\nif __name__ == "));
        self.python(&format!("{}{program}", super::library()), &[what], more)
    }

    /// Does something with archives.
    pub(super) fn archives(&self, what: &str, more: Value, patch: &str) -> Output {
        let program = [
            &super::library(),
            include_str!("machine/restore.py"),
            &include_str!("machine/archives.py")
                .replace("if __name__ == ", &format!("{patch}\nif __name__ == ")),
        ];
        self.python(&program.map(str::to_owned).concat(), &[what], more)
    }

    /// Restores, and gives what is told of it.
    pub(super) fn restore(&self, paths: Option<&[&str]>, force: bool) -> Value {
        let wanted = json!({ "paths": paths, "force": force, "dry_run": false });
        json_of(self.archives("restore", wanted, ""))
    }
}

pub(super) fn succeeded(output: Output) -> Output {
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}: {said}", output.status);
    output
}

pub(super) fn json_of(output: Output) -> Value {
    serde_json::from_slice(&succeeded(output).stdout).unwrap()
}

/// The paths that were found.
pub(super) fn found(told: &Value) -> Vec<&str> {
    let paths = told["found"]["first"].as_array().unwrap().iter();
    paths.map(|path| path.as_str().unwrap()).collect()
}
