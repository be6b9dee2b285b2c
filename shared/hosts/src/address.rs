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
/// Written `local` for this machine, or `ssh://user@host:port`. User and port may be left out: then
/// they are those of ssh's configuration, or else `root` and 22. An IPv6 address stands in brackets.
/// The text form is canonical: the host is in lower case, so equal addresses are equal texts.
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
    port: Option<u16>,
    user: Option<String>,
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
        Self::of(Some(user), host, Some(port))
    }

    fn of(user: Option<&str>, host: &str, port: Option<u16>) -> Result<Self, AddressError> {
        let refuse = |cause| AddressError {
            text: Self {
                host: host.to_owned(),
                port,
                user: user.map(str::to_owned),
            }
            .to_string(),
            cause,
        };
        if !user.is_none_or(is_user) {
            return Err(refuse("the user may hold letters, digits and _ . - only"));
        }
        if !is_host(host) {
            return Err(refuse("the host is neither a name nor an IP address"));
        }
        if port == Some(0) {
            return Err(refuse("the port must be a number from 1 to 65535"));
        }
        Ok(Self {
            host: host.to_ascii_lowercase(),
            port,
            user: user.map(str::to_owned),
        })
    }

    /// The name or IP address, in lower case and without brackets.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The TCP port of the ssh server, where the address names one.
    #[must_use]
    pub fn port(&self) -> Option<u16> {
        self.port
    }

    /// The user to log in as, where the address names one.
    #[must_use]
    pub fn user(&self) -> Option<&str> {
        self.user.as_deref()
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
        let (user, rest) = match rest.split_once('@') {
            Some((user, rest)) => (Some(user), rest),
            None => (None, rest),
        };
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
            None => None,
            // Not parse alone: it would take `+22`.
            Some(port) if !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit()) => {
                let port = port
                    .parse()
                    .map_err(|_| refuse("the port must be a number from 1 to 65535"))?;
                Some(port)
            }
            Some(_) => return Err(refuse("the port must be a number from 1 to 65535")),
        };
        SshAddress::of(user, host, port)
            .map(Self::Ssh)
            .map_err(|error| refuse(error.cause))
    }
}

impl fmt::Display for SshAddress {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("ssh://")?;
        if let Some(user) = &self.user {
            write!(formatter, "{user}@")?;
        }
        if self.host.contains(':') {
            write!(formatter, "[{}]", self.host)?;
        } else {
            formatter.write_str(&self.host)?;
        }
        match self.port {
            Some(port) => write!(formatter, ":{port}"),
            None => Ok(()),
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
    fn an_address_is_written_as_it_was_asked_for_with_its_host_in_lower_case() {
        for (text, expected) in [
            ("local", "local"),
            ("ssh://web1", "ssh://web1"),
            ("ssh://Web1.Example:2222", "ssh://web1.example:2222"),
            ("ssh://larry@10.0.0.1", "ssh://larry@10.0.0.1"),
            ("ssh://root@[FE80::1]:24", "ssh://root@[fe80::1]:24"),
            ("ssh://[::1]", "ssh://[::1]"),
        ] {
            assert_eq!(canonical(text), expected);
        }
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
}
