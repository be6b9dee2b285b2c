//! A network of three places in which packets can be made to vanish without a word.
//!
//! The test and its workers live in the place `fleet`, the broker in `broker`, and who is to be
//! cut off alone in `far`. Two links go out from the broker. A silent link delivers every packet
//! to a machine address that nobody has, on both sides: no error comes back, as when a cable is
//! cut somewhere in the middle. It needs root.

use std::fs::File;
use std::net::Ipv4Addr;
use std::os::fd::AsFd;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use crate::owner::{prefix, sweep};

/// A machine address that nobody has.
const NOBODY: &str = "02:00:00:00:00:01";

/// A link of the broker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Link {
    /// To the test and all workers but one.
    Fleet,
    /// To the one worker that is far away.
    Far,
}

impl Link {
    const BOTH: [Self; 2] = [Self::Fleet, Self::Far];

    /// The name of the device, the same at both ends.
    fn device(self) -> &'static str {
        match self {
            Self::Fleet => "fleet",
            Self::Far => "far",
        }
    }

    fn broker_address(self) -> Ipv4Addr {
        match self {
            Self::Fleet => Ipv4Addr::new(10, 99, 1, 1),
            Self::Far => Ipv4Addr::new(10, 99, 2, 1),
        }
    }

    fn other_address(self) -> Ipv4Addr {
        match self {
            Self::Fleet => Ipv4Addr::new(10, 99, 1, 2),
            Self::Far => Ipv4Addr::new(10, 99, 2, 2),
        }
    }
}

/// Three network namespaces. They are deleted when this is dropped.
pub struct Network {
    prefix: String,
}

fn ip(arguments: &[&str]) {
    let output = Command::new("ip")
        .args(arguments)
        .output()
        .expect("iproute2 is needed");
    assert!(
        output.status.success(),
        "ip {}: {}",
        arguments.join(" "),
        String::from_utf8_lossy(&output.stderr)
    );
}

impl Network {
    /// Makes the places and the links, with all packets let through.
    pub fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        sweep();
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let network = Self {
            prefix: format!("{}{number}", prefix()),
        };
        let broker = network.broker();
        for name in [
            broker.clone(),
            network.place(Link::Fleet),
            network.place(Link::Far),
        ] {
            ip(&["netns", "add", &name]);
            ip(&["-n", &name, "link", "set", "lo", "up"]);
        }
        for link in Link::BOTH {
            let (device, place) = (link.device(), network.place(link));
            ip(&[
                "-n", &broker, "link", "add", device, "type", "veth", "peer", "name", device,
                "netns", &place,
            ]);
            for (name, address) in [
                (&broker, link.broker_address()),
                (&place, link.other_address()),
            ] {
                let address = format!("{address}/24");
                ip(&["-n", name, "addr", "add", &address, "dev", device]);
                ip(&["-n", name, "link", "set", device, "up"]);
            }
        }
        network
    }

    /// The namespace at the other end of a link of the broker.
    pub fn place(&self, link: Link) -> String {
        format!("{}-{}", self.prefix, link.device())
    }

    /// The namespace that the broker lives in.
    pub fn broker(&self) -> String {
        format!("{}-broker", self.prefix)
    }

    /// Where the broker is reached over a link.
    pub fn broker_address(&self, link: Link) -> Ipv4Addr {
        link.broker_address()
    }

    /// Moves this thread, and what it starts from now on, to the fleet's place.
    pub fn enter(&self) {
        let path = format!("/run/netns/{}", self.place(Link::Fleet));
        let namespace = File::open(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
        move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network))
            .expect("root may enter a network namespace");
    }

    /// From now on every packet of this link vanishes.
    pub fn silence(&self, link: Link) {
        for (name, peer) in self.ends(link) {
            let (peer, device) = (peer.to_string(), link.device());
            ip(&[
                "-n",
                &name,
                "neigh",
                "replace",
                &peer,
                "lladdr",
                NOBODY,
                "nud",
                "permanent",
                "dev",
                device,
            ]);
        }
    }

    /// Packets pass again.
    pub fn let_through(&self, link: Link) {
        for (name, peer) in self.ends(link) {
            ip(&[
                "-n",
                &name,
                "neigh",
                "del",
                &peer.to_string(),
                "dev",
                link.device(),
            ]);
        }
    }

    /// Each end of a link, with the address of the other.
    fn ends(&self, link: Link) -> [(String, Ipv4Addr); 2] {
        [
            (self.broker(), link.other_address()),
            (self.place(link), link.broker_address()),
        ]
    }
}

impl Default for Network {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        for name in [
            self.broker(),
            self.place(Link::Fleet),
            self.place(Link::Far),
        ] {
            // One that was never made, because making another failed, is no matter.
            let _ = Command::new("ip").args(["netns", "del", &name]).output();
        }
    }
}
