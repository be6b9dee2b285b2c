//! What the packages of a machine own, down to the last file.

use std::collections::BTreeSet;

use crate::fixtures::Lab;

/// Prints of each package what it is and which files it owns, and of each of these files what is there; the
/// configuration that waits for an administrator; and the libraries that Portage keeps for others.
const LIST: &str = r#"
import hashlib, json, os
vdb = "/var/db/pkg"
def lines_of(path):
    try:
        with open(path, errors="surrogateescape") as file:
            return file.read().splitlines()
    except FileNotFoundError:
        return []
for cpv in sorted(c + "/" + p for c in os.listdir(vdb) for p in os.listdir(os.path.join(vdb, c))):
    for name in ("SLOT", "repository", "USE", "BUILD_ID", "BUILD_TIME", "RDEPEND"):
        print(cpv, name, *lines_of(os.path.join(vdb, cpv, name)))
    for line in lines_of(os.path.join(vdb, cpv, "CONTENTS")):
        words = line.split(" ")
        path, said = words[1], words[2] if words[0] == "obj" else ""
        status = os.lstat(path)
        content = os.readlink(path) if words[0] == "sym" else ""
        if words[0] == "obj":
            with open(path, "rb") as file:
                content = hashlib.sha256(file.read()).hexdigest()
        print(cpv, words[0], path, said, oct(status.st_mode), status.st_uid, status.st_gid, content)
for folder, _, names in os.walk("/etc"):
    for name in sorted(names):
        if name.startswith("._cfg"):
            print("waits", os.path.join(folder, name))
print("kept", json.loads(" ".join(lines_of("/var/lib/portage/preserved_libs_registry")) or "{}"))
"#;

/// The state of a machine's packages and their files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owned(BTreeSet<String>);

impl Owned {
    /// As it is now.
    ///
    /// # Panics
    /// When an owned file is not there.
    pub fn of(lab: &Lab, machine: &str) -> Self {
        let said = lab.exec(machine, &["python3", "-c", LIST]);
        assert!(said.code == 0, "{machine}: {}", said.stderr);
        Self(said.stdout.lines().map(str::to_owned).collect())
    }

    /// It is so again.
    ///
    /// # Panics
    /// When it is not, naming what differs.
    pub fn is_so_again(&self, lab: &Lab, machine: &str) {
        let now = Self::of(lab, machine);
        let gone = self.0.difference(&now.0).map(|line| format!("-{line}"));
        let come = now.0.difference(&self.0).map(|line| format!("+{line}"));
        let differences: Vec<String> = gone.chain(come).collect();
        assert!(
            differences.is_empty(),
            "{machine} is not as it was:\n{}",
            differences.join("\n")
        );
    }
}
