//! Sources of a machine whose Portage is the real one, with repositories that come and go.

use std::fs;
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::json;
use tempfile::TempDir;

use super::{PROGRAM, Sources};

/// A machine: its configuration, two repositories, one package of the second one installed, and sources.
struct Machine(TempDir);

const OLD: [&str; 4] = [
    "used-1.tar",
    "bound-1.tar",
    "restricted-1.tar",
    "nobodys-1.tar",
];

impl Machine {
    fn new() -> Self {
        let machine = Self(TempDir::new().unwrap());
        let root = machine.0.path().display();
        machine.write(
            "etc/portage/make.conf",
            &format!("DISTDIR=\"{root}/distfiles\"\n"),
        );
        machine.write("etc/portage/make.profile/make.defaults", "ARCH=\"amd64\"\n");
        machine.write(
            "etc/portage/repos.conf",
            &format!(
                "[DEFAULT]\nmain-repo = gentoo\n[gentoo]\nlocation = {root}/gentoo\n\
                 [overlay]\nlocation = {root}/overlay\n"
            ),
        );
        for (name, masters) in [("gentoo", ""), ("overlay", "gentoo")] {
            machine.write(&format!("{name}/profiles/repo_name"), &format!("{name}\n"));
            let layout = format!("masters = {masters}\nuse-manifests = false\n");
            machine.write(&format!("{name}/metadata/layout.conf"), &layout);
        }
        machine.write("gentoo/profiles/categories", "app-misc\n");
        machine.write("gentoo/profiles/arch.list", "amd64\n");
        machine.ebuild("gentoo", "used", "");
        machine.ebuild("overlay", "bound", "");
        machine.ebuild("overlay", "restricted", "fetch");
        machine.install("used", "gentoo");
        machine.install("bound", "overlay");
        for name in OLD {
            let file = machine.write(&format!("distfiles/{name}"), name);
            chown(file, None, Some(daemon())).unwrap();
        }
        machine
    }

    fn write(&self, path: &str, content: &str) -> PathBuf {
        let file = self.0.path().join(path);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(&file, content).unwrap();
        file
    }

    /// In a repository without Manifests.
    fn ebuild(&self, repository: &str, name: &str, restrict: &str) {
        let text = format!(
            "EAPI=8\nDESCRIPTION=x\nSRC_URI=\"https://example.org/{name}-1.tar\"\nSLOT=0\n\
             KEYWORDS=amd64\nRESTRICT=\"{restrict}\"\n"
        );
        self.write(
            &format!("{repository}/app-misc/{name}/{name}-1.ebuild"),
            &text,
        );
    }

    fn install(&self, name: &str, repository: &str) {
        for (file, content) in [("repository", repository), ("SLOT", "0"), ("EAPI", "8")] {
            let path = format!("{}/{file}", installed(name));
            self.write(&path, &format!("{content}\n"));
        }
    }

    /// Deletes all that nothing uses, however young it is.
    fn sweep(&self) -> Sources {
        let request = json!({ "marker": "@@", "days": -1, "delete": true, "packages": [] });
        let root = self.0.path().display();
        let output = Command::new(python())
            .args(["-c", PROGRAM, &request.to_string()])
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .env("HOME", "/root")
            .env("PORTAGE_GRPNAME", "daemon")
            .env("PORTAGE_CONFIGROOT", root.to_string())
            .env("ROOT", root.to_string())
            .output()
            .unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        let document = text.split("@@").nth(1).unwrap_or_else(|| panic!("{said}"));
        serde_json::from_str(document).unwrap()
    }

    fn left(&self) -> Vec<&str> {
        let folder = self.0.path().join("distfiles");
        OLD.into_iter()
            .filter(|name| folder.join(name).exists())
            .collect()
    }

    fn move_folder(&self, from: &str, to: &str) {
        fs::rename(self.0.path().join(from), self.0.path().join(to)).unwrap();
    }
}

/// A Python that has Portage.
fn python() -> String {
    let checkout = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let output = Command::new(checkout.join("tests/portage-venv.sh")).output();
    let text = String::from_utf8(output.unwrap().stdout).unwrap();
    text.trim_end().to_owned()
}

/// Where this Portage, which has a prefix, looks for an installed package, below ROOT.
fn installed(name: &str) -> String {
    let prefix = "import portage.const; print(portage.const.EPREFIX)";
    let output = Command::new(python()).args(["-c", prefix]).output();
    let text = String::from_utf8(output.unwrap().stdout).unwrap();
    let prefix = text.trim().trim_start_matches('/');
    format!("{prefix}/var/db/pkg/app-misc/{name}-1")
}

/// The number of a group that every machine has.
fn daemon() -> u32 {
    let groups = fs::read_to_string("/etc/group").unwrap();
    let mut lines = groups
        .lines()
        .filter_map(|line| line.strip_prefix("daemon:x:"));
    lines
        .next()
        .unwrap()
        .split(':')
        .next()
        .unwrap()
        .parse()
        .unwrap()
}

fn is_root() -> bool {
    let id = Command::new("id").arg("-u").output().unwrap();
    id.stdout == b"0\n"
}

#[test]
fn nothing_goes_while_a_repository_is_not_there_and_then_what_nothing_uses() {
    if !is_root() {
        eprintln!("not tested: only root can give files to a group");
        return;
    }
    let machine = Machine::new();
    machine.move_folder("overlay", "away");
    for is_mount_point in [false, true] {
        if is_mount_point {
            fs::create_dir(machine.0.path().join("overlay")).unwrap();
        }
        let sources = machine.sweep();
        let why = sources.why.unwrap();
        assert!(why.contains("the repository overlay is not in"), "{why}");
        assert_eq!((sources.unused.len(), machine.left()), (0, OLD.to_vec()));
    }
    fs::remove_dir(machine.0.path().join("overlay")).unwrap();
    machine.move_folder("away", "overlay");

    machine.install("gone", "former");
    let why = machine.sweep().why.unwrap();
    assert!(
        why.contains("app-misc/gone-1 is installed from the repository former"),
        "{why}"
    );
    assert_eq!(machine.left(), OLD);
    fs::remove_dir_all(machine.0.path().join(installed("gone"))).unwrap();

    // Also what only a person can bring, of a repository that has no Manifests.
    let sources = machine.sweep();
    assert_eq!((sources.why, sources.deleted.files), (None, 1));
    assert_eq!(machine.left(), OLD[..3]);
}
