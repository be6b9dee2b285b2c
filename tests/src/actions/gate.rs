//! Gates that hold work up on a machine until the test lets it go on.

use std::time::Duration;

use super::guests::append;
use crate::fixtures::{Lab, wait_until};

/// How long a gate is waited for, on a machine that has other things to do.
const PATIENCE: Duration = Duration::from_secs(300);

/// Where gates leave their marks. Portage builds as a user of its own.
const FOLDER: &str = "/run/gates";
/// Where they leave them in clean rooms: sources are the machine's own there, too.
const FOLDER_IN_ROOMS: &str = "/var/cache/distfiles/gates";

/// Comes to a gate and waits there, two minutes at most: a test that failed leaves nothing waiting.
const WAIT: &str = r#"
    : > $gate.reached
    for ((i = 0; i < 1200; i++)); do [[ ! -e $gate.open ]] || break; sleep 0.1; done
"#;

/// A gate on a machine. It is closed until it is opened.
pub struct Gate<'a> {
    lab: &'a Lab,
    machine: String,
    /// What the paths of its marks begin with.
    path: String,
}

impl<'a> Gate<'a> {
    /// Before a phase of a package, such as `compile` or `postinst`.
    pub fn before_phase(lab: &'a Lab, machine: &str, phase: &str, package: &str) -> Self {
        Self::before_phase_in(FOLDER, lab, machine, phase, package)
    }

    /// As [`Self::before_phase`], in the clean rooms of a builder.
    pub fn in_rooms(lab: &'a Lab, machine: &str, phase: &str, package: &str) -> Self {
        Self::before_phase_in(FOLDER_IN_ROOMS, lab, machine, phase, package)
    }

    fn before_phase_in(
        folder: &str,
        lab: &'a Lab,
        machine: &str,
        phase: &str,
        package: &str,
    ) -> Self {
        let gate = Self::new(lab, machine, folder, &format!("{phase}-{package}"));
        let path = &gate.path;
        gate.add(
            "/etc/portage/bashrc",
            &format!(
                "if [[ ${{EBUILD_PHASE}} == {phase} && ${{PN}} == {package} ]]; then\n\
                 gate={path}{WAIT}fi\n"
            ),
        );
        gate
    }

    /// Before each call of emerge.
    pub fn before_emerge(lab: &'a Lab, machine: &str) -> Self {
        let gate = Self::new(lab, machine, FOLDER, "emerge");
        let path = "/usr/local/sbin/emerge";
        let marks = &gate.path;
        gate.add(
            path,
            &format!("#!/bin/bash\ngate={marks}{WAIT}exec /usr/bin/emerge \"$@\"\n"),
        );
        lab.sh(machine, &format!("chmod 755 {path}"));
        gate
    }

    fn new(lab: &'a Lab, machine: &str, folder: &str, name: &str) -> Self {
        lab.sh(machine, &format!("mkdir -p -m 1777 {folder}"));
        Self {
            lab,
            machine: machine.to_owned(),
            path: format!("{folder}/{name}"),
        }
    }

    fn add(&self, path: &str, text: &str) {
        append(self.lab, &self.machine, path, text);
    }

    /// Whether something waits, or has waited, at the gate.
    pub fn is_reached(&self) -> bool {
        let (machine, path) = (&self.machine, &self.path);
        self.lab.holds(machine, &format!("test -e {path}.reached"))
    }

    /// Waits until something comes to the gate.
    pub fn wait_until_reached(&self) {
        let what = format!(
            "something comes to the gate {} on {}",
            self.path, self.machine
        );
        wait_until(&what, PATIENCE, || self.is_reached());
    }

    /// Waits until something comes to one of these gates, and tells which.
    pub fn wait_until_one_is_reached(gates: &[Self]) -> usize {
        let mut reached = None;
        wait_until("something comes to a gate", PATIENCE, || {
            reached = gates.iter().position(Self::is_reached);
            reached.is_some()
        });
        reached.expect("a gate was reached")
    }

    /// Lets everything through, now and later.
    pub fn open(&self) {
        let (machine, path) = (&self.machine, &self.path);
        self.lab.sh(machine, &format!(": > {path}.open"));
    }

    /// From now on nothing has come to it.
    pub fn forget(&self) {
        let (machine, path) = (&self.machine, &self.path);
        self.lab.sh(machine, &format!("rm {path}.reached"));
    }
}
