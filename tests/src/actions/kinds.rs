//! Guests of three kinds, which want the same packages and one of them with other flags.

use super::guests::want_only;
use crate::fixtures::Lab;

/// What all of them want.
const WORLD: [&str; 3] = ["app-misc/hello", "app-misc/greeter", "app-misc/slowpoke"];
/// The package whose flags make the kinds.
const KIND_PACKAGE: &str = "dev-libs/libbeta";
/// Its flags. The first are those that it has by default.
pub const KINDS: [&str; 3] = ["-doc fast", "doc -fast", "doc fast"];

/// Makes machines guests of the three kinds, as many of each as of the others and those of the first
/// kind first, and tells the flags of each.
///
/// # Panics
/// When their number cannot be divided by that of the kinds.
pub fn make_kinds(lab: &Lab, machines: &[String]) -> Vec<(String, &'static str)> {
    let each = machines.len() / KINDS.len();
    assert_eq!(each * KINDS.len(), machines.len(), "as many of each kind");
    let flags = KINDS
        .iter()
        .flat_map(|flags| std::iter::repeat_n(*flags, each));
    let guests: Vec<_> = machines.iter().cloned().zip(flags).collect();
    for (guest, flags) in &guests {
        want_what_guests_want(lab, guest);
        let line = format!("echo '{KIND_PACKAGE} {flags}' > /etc/portage/package.use/own");
        lab.sh(guest, &line);
    }
    guests
}

/// Makes a machine want what the guests of all kinds want. It keeps its flags.
pub fn want_what_guests_want(lab: &Lab, machine: &str) {
    want_only(lab, machine, &WORLD);
}
