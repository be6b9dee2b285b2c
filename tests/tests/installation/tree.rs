//! Programs and everything else, as `packaging/install.sh` puts them into a folder.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use gentoo_updater_tests::fixtures::{Program, program};
use tempfile::TempDir;

/// The checkout.
pub(crate) fn checkout() -> PathBuf {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    path.canonicalize().expect("the checkout is there")
}

/// A folder with everything that is installed below it.
pub(crate) struct Tree {
    folder: TempDir,
    prefix: &'static str,
}

impl Tree {
    /// Installs into a new folder.
    pub(crate) fn installed(prefix: &'static str) -> Self {
        let folder = TempDir::new().expect("a folder");
        let tree = Self { folder, prefix };
        tree.must("install");
        tree
    }

    /// The root of what is installed.
    pub(crate) fn root(&self) -> PathBuf {
        self.folder.path().join("root")
    }

    /// Calls the script, which must end well.
    pub(crate) fn must(&self, command: &str) {
        let Output { status, stderr, .. } = Command::new(checkout().join("packaging/install.sh"))
            .arg(command)
            .env("PROGRAMS", stripped(self.folder.path()))
            .env("DESTDIR", self.root())
            .env("PREFIX", self.prefix)
            .output()
            .expect("install.sh runs");
        let stderr = String::from_utf8_lossy(&stderr);
        assert!(
            status.success() && stderr.is_empty(),
            "install.sh {command}: {status}: {stderr}"
        );
    }

    /// Every file, by its path from the root, sorted.
    pub(crate) fn files(&self) -> Vec<String> {
        let output = Command::new("find")
            .current_dir(self.root())
            .args([".", "-not", "-type", "d", "-printf", "/%P\n"])
            .output()
            .expect("find runs");
        let text = String::from_utf8(output.stdout).expect("names are text");
        let mut files: Vec<String> = text.lines().map(str::to_owned).collect();
        files.sort();
        files
    }
}

/// A folder with the programs, stripped.
pub(crate) fn programs() -> (TempDir, PathBuf) {
    let folder = TempDir::new().expect("a folder");
    let programs = stripped(folder.path());
    (folder, programs)
}

/// The programs without what a debugger reads: they are copied into machines.
fn stripped(folder: &Path) -> PathBuf {
    let to = folder.join("programs");
    if to.is_dir() {
        return to;
    }
    std::fs::create_dir(&to).expect("a folder");
    let built = program(Program::Command);
    let built = built.parent().expect("programs lie in a folder");
    for entry in std::fs::read_dir(built).expect("the programs are there") {
        let path = entry.expect("an entry").path();
        let name = path.file_name().expect("a name").to_string_lossy();
        // But for what only tests start.
        let is_installed = name.starts_with("gentoo-updater") && !name.contains("chaos");
        if is_installed && !name.contains('.') && path.is_file() {
            let status = Command::new("strip")
                .arg("-o")
                .arg(to.join(&*name))
                .arg(&path)
                .status();
            assert!(status.expect("strip runs").success(), "{name}");
        }
    }
    to
}
