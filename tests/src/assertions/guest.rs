//! Whether a guest is where its administrator wants it.

use crate::fixtures::Lab;

/// The guest's own Portage plans nothing, asked with neutral options and not by this project.
pub fn plans_nothing(lab: &Lab, guest: &str) {
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
    assert!(
        said.stdout
            .lines()
            .any(|line| line.starts_with("Total: 0 packages")),
        "{guest} still plans something (exit code {}):\n{}{}",
        said.code,
        said.stdout,
        said.stderr
    );
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
