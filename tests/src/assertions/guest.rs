//! Whether a guest is where its administrator wants it.

use crate::fixtures::Lab;

/// The guest's own Portage plans nothing, asked with neutral options and not by this project.
pub fn plans_nothing(lab: &Lab, guest: &str) {
    let rows = planned(lab, guest);
    assert!(
        rows.is_empty(),
        "{guest} still plans something:\n{}",
        rows.join("\n")
    );
}

/// The rows of what the guest's own Portage plans, asked with neutral options and not by this project.
///
/// # Panics
/// When it cannot say how many there are.
pub fn planned(lab: &Lab, guest: &str) -> Vec<String> {
    let argv = [
        "env",
        "LC_ALL=C.UTF-8",
        "emerge",
        "--ignore-default-opts",
        "--color=n",
        "--nospinner",
        "-NDpuv1",
        "--with-bdeps=n",
        "@world",
    ];
    let said = lab.exec(guest, &argv);
    let rows = said.stdout.lines().filter(|line| line.starts_with('['));
    let rows: Vec<String> = rows.map(str::to_owned).collect();
    let total = format!("Total: {} package", rows.len());
    assert!(
        said.stdout.lines().any(|line| line.starts_with(&total)),
        "{guest} does not say what it plans (exit code {}):\n{}{}",
        said.code,
        said.stdout,
        said.stderr
    );
    rows
}

/// Nothing on the guest could have compiled.
pub fn has_no_compiler(lab: &Lab, guest: &str) {
    assert!(
        !lab.holds(guest, "type -P gcc cc x86_64-pc-linux-gnu-gcc make"),
        "{guest} has a compiler, so it proves nothing that it was updated"
    );
}

/// The guest's sshd let nobody in since it was switched on, and nothing was put there.
pub fn was_never_logged_in_to(lab: &Lab, guest: &str) {
    let console = lab.console(guest);
    assert!(
        !console.contains("Accepted "),
        "somebody logged in to {guest}:\n{console}"
    );
    assert!(
        !lab.holds(
            guest,
            "test -e /var/lib/gentoo-updater -o -e /var/log/gentoo-updater"
        ),
        "files of a run are on {guest}"
    );
}
