//! That a builder's own root is what it was.

use std::collections::BTreeMap;

use crate::fixtures::Lab;

/// Prints a line for each file of the root with all that is known of it but the time of the last
/// access, and a line with the checksum of each file in which packages or settings are noted.
///
/// Left out are what gentoo-updater itself keeps on a builder, what sshd writes of logins, what Python
/// keeps of programs that it has run, and the sources of packages, which are there for all builds. Of
/// folders an overlay changes times and numbers when something below them is opened for writing.
const LIST: &str = r#"
cd /
find . -xdev \( -path ./var/lib/gentoo-updater -o -path ./var/log/gentoo-updater \
    -o -path ./var/tmp/gentoo-updater -o -path ./var/cache/distfiles -o -path ./var/log/wtmp \
    -o -path ./var/log/btmp -o -path ./var/log/lastlog -o -name __pycache__ \) -prune \
    -o -type d -printf '%p %y %m %u:%g\n' -o -printf '%p %y %m %u:%g %s %T@ %C@ %l\n'
find ./etc ./var/db/pkg ./var/lib/portage ./var/cache/edb -xdev -type f -exec sha256sum {} + |
    sed 's,^\([^ ]*\)  \(.*\),sha256:\2 \1,'
"#;

/// A builder's root as it was.
pub struct RootBefore {
    machine: String,
    files: BTreeMap<String, String>,
}

impl RootBefore {
    /// Looks at a machine.
    pub fn of(lab: &Lab, machine: &str) -> Self {
        // What gentoo-updater keeps has its folders already, or the ones above would change.
        lab.sh(
            machine,
            "mkdir -p /var/lib/gentoo-updater /var/log/gentoo-updater /var/tmp/gentoo-updater
             touch /var/log/wtmp /var/log/btmp /var/log/lastlog",
        );
        Self {
            machine: machine.to_owned(),
            files: files(lab, machine),
        }
    }

    /// Nothing has changed since.
    ///
    /// # Panics
    /// When something has, naming it.
    pub fn is_unchanged(&self, lab: &Lab) {
        let after = files(lab, &self.machine);
        let before = self
            .files
            .iter()
            .filter(|(path, line)| after.get(*path) != Some(line));
        let before = before.map(|(path, line)| format!("-{path} {line}"));
        let now = after
            .iter()
            .filter(|(path, line)| self.files.get(*path) != Some(line));
        let now = now.map(|(path, line)| format!("+{path} {line}"));
        let changes: Vec<String> = before.chain(now).collect();
        assert!(
            changes.is_empty(),
            "the root of {} has changed:\n{}",
            self.machine,
            changes.join("\n")
        );
    }
}

fn files(lab: &Lab, machine: &str) -> BTreeMap<String, String> {
    let text = lab.sh(machine, LIST);
    let lines = text.lines().filter_map(|line| line.split_once(' '));
    let files: BTreeMap<String, String> = lines
        .map(|(path, rest)| (path.to_owned(), rest.to_owned()))
        .collect();
    assert!(files.len() > 1000, "{machine} has a root: {}", files.len());
    files
}

/// No process of a room lives on a builder, and nothing that a room mounted is mounted anywhere.
pub fn no_room_is_open(lab: &Lab, builder: &str) {
    let left = lab.sh(
        builder,
        r#"for process in /proc/[0-9]*; do
               grep -q '^gentoo-updater ' "$process/mounts" 2>/dev/null || continue
               tr '\0' ' ' < "$process/cmdline"; echo
           done"#,
    );
    assert_eq!(left, "", "processes in rooms of {builder}");
    let mounts = lab.sh(builder, "grep '/var/tmp/gentoo-updater' /proc/mounts || :");
    assert_eq!(mounts, "", "mounted on {builder}");
}
