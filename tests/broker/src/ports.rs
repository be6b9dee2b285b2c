//! Ports that nobody uses.

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, TcpListener};
use std::sync::{Mutex, PoisonError};

/// Below the range that the kernel takes the ports of outgoing connections from: a broker that
/// is down for a while must find its port free when it comes back.
const FIRST: u16 = 15_000;
const COUNT: u16 = 17_000;

static GIVEN: Mutex<BTreeSet<u16>> = Mutex::new(BTreeSet::new());

/// A port that is free in this network namespace, and that this process gives nobody else.
///
/// # Panics
/// When none is.
pub fn free_port() -> u16 {
    let mut given = GIVEN.lock().unwrap_or_else(PoisonError::into_inner);
    // Two processes begin at different places.
    let start = (std::process::id() % u32::from(COUNT)) as u16;
    let port = (0..COUNT)
        .map(|step| FIRST + ((u32::from(start) + 7 * u32::from(step)) % u32::from(COUNT)) as u16)
        .find(|port| {
            !given.contains(port) && TcpListener::bind((Ipv4Addr::UNSPECIFIED, *port)).is_ok()
        })
        .expect("a free port");
    given.insert(port);
    port
}
