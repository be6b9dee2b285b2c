//! Gates that hold work up on a machine until the test lets it go on.

use std::time::Duration;

use super::guests::append;
use crate::fixtures::{Lab, wait_until};

/// How long a gate is waited for, on a machine that has other things to do.
const PATIENCE: Duration = Duration::from_secs(120);

/// Where gates leave their marks. Portage builds as a user of its own.
const FOLDER: &str = "/run/gates";

/// Comes to a gate and waits there, two minutes at most: a test that failed leaves nothing waiting.
const WAIT: &str = r#"
    : > /run/gates/$gate.reached
    for ((i = 0; i < 1200; i++)); do [[ ! -e /run/gates/$gate.open ]] || break; sleep 0.1; done
"#;

/// A gate on a machine. It is closed until it is opened.
pub struct Gate<'a> {
    lab: &'a Lab,
    machine: String,
    name: String,
}

impl<'a> Gate<'a> {
    /// Before a phase of a package, such as `compile` or `postinst`.
    pub fn before_phase(lab: &'a Lab, machine: &str, phase: &str, package: &str) -> Self {
        let gate = Self::new(lab, machine, format!("{phase}-{package}"));
        let name = &gate.name;
        gate.add(
            "/etc/portage/bashrc",
            &format!(
                "if [[ ${{EBUILD_PHASE}} == {phase} && ${{PN}} == {package} ]]; then\n\
                 gate={name}{WAIT}fi\n"
            ),
        );
        gate
    }

    /// Before each call of emerge.
    pub fn before_emerge(lab: &'a Lab, machine: &str) -> Self {
        let gate = Self::new(lab, machine, "emerge".to_owned());
        let path = "/usr/local/sbin/emerge";
        gate.add(
            path,
            &format!("#!/bin/bash\ngate=emerge{WAIT}exec /usr/bin/emerge \"$@\"\n"),
        );
        lab.sh(machine, &format!("chmod 755 {path}"));
        gate
    }

    fn new(lab: &'a Lab, machine: &str, name: String) -> Self {
        lab.sh(machine, &format!("mkdir -p -m 1777 {FOLDER}"));
        Self {
            lab,
            machine: machine.to_owned(),
            name,
        }
    }

    fn add(&self, path: &str, text: &str) {
        append(self.lab, &self.machine, path, text);
    }

    /// Whether something waits, or has waited, at the gate.
    pub fn is_reached(&self) -> bool {
        let (machine, name) = (&self.machine, &self.name);
        self.lab
            .holds(machine, &format!("test -e {FOLDER}/{name}.reached"))
    }

    /// Waits until something comes to the gate.
    pub fn wait_until_reached(&self) {
        let what = format!(
            "something comes to the gate {} on {}",
            self.name, self.machine
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
        let (machine, name) = (&self.machine, &self.name);
        self.lab.sh(machine, &format!(": > {FOLDER}/{name}.open"));
    }
}
