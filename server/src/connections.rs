//! Who may hold a connection, and for how long.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// What clients may take. None of it is met by a guest that fetches binaries.
#[derive(Debug, Clone)]
pub struct Limits {
    /// How many connections there are at once. More wait until one ends.
    pub connections: usize,
    /// How many of them one address has, where that is limited: behind a proxy or a router that translates
    /// addresses all clients have one. More are refused.
    pub of_one_address: Option<usize>,
    /// Whether this machine's own addresses are not limited so: they are a proxy's.
    pub spares_loopback: bool,
    /// How long a client may take for the handshake of TLS, and for the head of a request.
    pub head: Duration,
    /// For how long a connection on which nothing moves is kept.
    pub idle: Duration,
    /// How long what goes on may take when the server is told to stop.
    pub grace: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 256,
            of_one_address: Some(32),
            spares_loopback: true,
            head: Duration::from_secs(10),
            idle: Duration::from_secs(30),
            grace: Duration::from_secs(30),
        }
    }
}

impl Limits {
    /// How many connections this address may have.
    pub(crate) fn of(&self, address: IpAddr) -> usize {
        let is_spared = self.spares_loopback && address.to_canonical().is_loopback();
        self.of_one_address
            .filter(|_| !is_spared)
            .unwrap_or(usize::MAX)
    }
}

/// How many connections each address has.
#[derive(Debug, Clone, Default)]
pub(crate) struct Addresses(Arc<Mutex<HashMap<IpAddr, usize>>>);

/// A connection of an address; it counts until this is dropped.
#[derive(Debug)]
pub(crate) struct Counted {
    addresses: Addresses,
    address: IpAddr,
}

impl Addresses {
    /// One more connection of this address, unless it has as many as it may.
    pub(crate) fn one_more(&self, address: IpAddr, most: usize) -> Option<Counted> {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry(address).or_default();
        if *count >= most {
            return None;
        }
        *count += 1;
        Some(Counted {
            addresses: self.clone(),
            address,
        })
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        let mut counts = self
            .addresses
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = counts.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_so_many_connections_and_may_have_another_when_one_ends() {
        let addresses = Addresses::default();
        let [one, other] = ["192.0.2.1", "192.0.2.2"].map(|text| text.parse().unwrap());
        let first = addresses.one_more(one, 2).unwrap();
        let second = addresses.one_more(one, 2).unwrap();
        assert!(addresses.one_more(one, 2).is_none());
        assert!(addresses.one_more(other, 2).is_some());
        drop(first);
        assert!(addresses.one_more(one, 2).is_some());
        drop(second);
        assert!(addresses.0.lock().unwrap().is_empty());
    }
}
