//! Where a machine is: `local`, or `ssh://user@host:port`.

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The user that an address without a user means.
pub const DEFAULT_USER: &str = "root";
/// The port that an address without a port means.
pub const DEFAULT_PORT: u16 = 22;

/// The address of a machine.
///
/// Written `local` for this machine, or `ssh://user@host:port` with `root` and 22 as defaults. An
/// IPv6 address stands in brackets. The text form is canonical: it always names user and port, and
/// the host is in lower case, so equal addresses are equal texts.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum HostAddress {
    /// This machine; commands are child processes.
    Local,
    /// Another machine (or another root of this one) behind an ssh server.
    Ssh(SshAddress),
}

/// The parts of an `ssh://` address, valid by construction.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SshAddress {
    host: String,
    port: u16,
    user: String,
}

/// Why a text is not a [`HostAddress`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not the address of a machine: {cause} (write local, or ssh://user@host:port)")]
pub struct AddressError {
    /// The refused text.
    pub text: String,
    /// What is wrong with it.
    pub cause: &'static str,
}

impl SshAddress {
    /// Builds an address from its parts.
    ///
    /// # Errors
    /// [`AddressError`] when the user, the host or the port cannot be one.
    pub fn new(user: &str, host: &str, port: u16) -> Result<Self, AddressError> {
        let refuse = |cause| AddressError {
            text: format!("ssh://{user}@{host}:{port}"),
            cause,
        };
        if !is_user(user) {
            return Err(refuse("the user may hold letters, digits and _ . - only"));
        }
        if !is_host(host) {
            return Err(refuse("the host is neither a name nor an IP address"));
        }
        if port == 0 {
            return Err(refuse("the port must be a number from 1 to 65535"));
        }
        Ok(Self {
            host: host.to_ascii_lowercase(),
            port,
            user: user.to_owned(),
        })
    }

    /// The name or IP address, in lower case and without brackets.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The TCP port of the ssh server.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The user to log in as.
    #[must_use]
    pub fn user(&self) -> &str {
        &self.user
    }

    /// The name of this machine in a known_hosts file: `host`, or `[host]:port` when the port is
    /// not 22 (sshd(8), SSH_KNOWN_HOSTS FILE FORMAT).
    #[must_use]
    pub fn known_hosts_name(&self) -> String {
        if self.port == DEFAULT_PORT {
            self.host.clone()
        } else {
            format!("[{}]:{}", self.host, self.port)
        }
    }
}

fn is_user(user: &str) -> bool {
    let mut bytes = user.bytes();
    let first_is_good = bytes
        .next()
        .is_some_and(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    first_is_good
        && user.len() <= 64
        && bytes.all(|byte| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte))
}

fn is_host(host: &str) -> bool {
    if host.contains(':') {
        return host.parse::<Ipv6Addr>().is_ok();
    }
    // All digits and dots must be a whole IPv4 address: `10.0.0` would otherwise be resolved as
    // the number 10.0.0.0 by some resolvers and as a name by others.
    if host
        .bytes()
        .all(|byte| byte.is_ascii_digit() || byte == b'.')
    {
        return host.parse::<Ipv4Addr>().is_ok();
    }
    host.len() <= 253
        && host.split('.').all(|label| {
            !label.is_empty()
                && label.len() <= 63
                && !label.starts_with('-')
                && !label.ends_with('-')
                && label
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
        })
}

impl FromStr for HostAddress {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        if text == "local" {
            return Ok(Self::Local);
        }
        let refuse = |cause| AddressError {
            text: text.to_owned(),
            cause,
        };
        let rest = text
            .strip_prefix("ssh://")
            .ok_or_else(|| refuse("it is neither local nor starts with ssh://"))?;
        let (user, rest) = rest.split_once('@').unwrap_or((DEFAULT_USER, rest));
        let (host, port) = if let Some(inside) = rest.strip_prefix('[') {
            let (host, after) = inside
                .split_once(']')
                .ok_or_else(|| refuse("the bracket is not closed"))?;
            if !host.contains(':') {
                return Err(refuse("brackets are for IPv6 addresses"));
            }
            match after.strip_prefix(':') {
                Some(port) => (host, Some(port)),
                None if after.is_empty() => (host, None),
                None => return Err(refuse("only :port may follow the bracket")),
            }
        } else {
            match rest.split_once(':') {
                Some((_, port)) if port.contains(':') => {
                    return Err(refuse("an IPv6 address must stand in brackets"));
                }
                Some((host, port)) => (host, Some(port)),
                None => (rest, None),
            }
        };
        let port = match port {
            None => DEFAULT_PORT,
            // Not parse alone: it would take `+22`.
            Some(port) if !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit()) => {
                port.parse()
                    .map_err(|_| refuse("the port must be a number from 1 to 65535"))?
            }
            Some(_) => return Err(refuse("the port must be a number from 1 to 65535")),
        };
        SshAddress::new(user, host, port)
            .map(Self::Ssh)
            .map_err(|error| refuse(error.cause))
    }
}

impl fmt::Display for SshAddress {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, port, user } = self;
        if host.contains(':') {
            write!(formatter, "ssh://{user}@[{host}]:{port}")
        } else {
            write!(formatter, "ssh://{user}@{host}:{port}")
        }
    }
}

impl fmt::Display for HostAddress {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Local => formatter.write_str("local"),
            Self::Ssh(address) => address.fmt(formatter),
        }
    }
}

impl Serialize for HostAddress {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for HostAddress {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn canonical(text: &str) -> String {
        text.parse::<HostAddress>().unwrap().to_string()
    }

    #[test]
    fn an_address_is_written_with_its_defaults() {
        assert_eq!(canonical("local"), "local");
        assert_eq!(canonical("ssh://web1"), "ssh://root@web1:22");
        assert_eq!(
            canonical("ssh://Web1.Example:2222"),
            "ssh://root@web1.example:2222"
        );
        assert_eq!(canonical("ssh://larry@10.0.0.1"), "ssh://larry@10.0.0.1:22");
        assert_eq!(canonical("ssh://[fe80::1]:24"), "ssh://root@[fe80::1]:24");
        assert_eq!(canonical("ssh://[::1]"), "ssh://root@[::1]:22");
    }

    #[test]
    fn what_is_not_an_address_is_refused() {
        for text in [
            "",
            "Local",
            "web1",
            "http://web1",
            "ssh://",
            "ssh://@web1",
            "ssh://a@b@c",
            "ssh://web1:",
            "ssh://web1:0",
            "ssh://web1:65536",
            "ssh://web1:+22",
            "ssh://web1/",
            "ssh://-oProxyCommand=x",
            "ssh://-x@web1",
            "ssh://we b",
            "ssh://::1",
            "ssh://[::1",
            "ssh://[web1]:22",
            "ssh://[::1]x",
            "ssh://10.0.0",
            "ssh://a..b",
            "ssh://web1\n",
            "ssh://root;id@web1",
            "ssh://$(id)",
            "ssh://*",
        ] {
            assert!(text.parse::<HostAddress>().is_err(), "{text:?} was taken");
        }
    }

    #[test]
    fn the_known_hosts_name_carries_a_port_other_than_22() {
        let name = |text: &str| match text.parse().unwrap() {
            HostAddress::Ssh(address) => address.known_hosts_name(),
            HostAddress::Local => panic!("not ssh"),
        };
        assert_eq!(name("ssh://web1"), "web1");
        assert_eq!(name("ssh://web1:2222"), "[web1]:2222");
        assert_eq!(name("ssh://[::1]:2222"), "[::1]:2222");
    }
}
