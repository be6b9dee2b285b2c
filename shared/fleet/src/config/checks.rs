//! What shows that a guest is well: the tables `[checks.NAME]`.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Deserialize;

use super::invalid::Invalid;
use crate::name::CheckName;

/// One table `[checks.NAME]` as it is written.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CheckFragment {
    command: Option<String>,
    tcp: Option<String>,
    http: Option<String>,
    status: Option<u16>,
    service: Option<String>,
    timeout_seconds: Option<u64>,
    tries: Option<u32>,
    pause_seconds: Option<u64>,
    steady_seconds: Option<u64>,
}

/// One thing that must be so on a guest that is well. It is looked at on the guest itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// Its name.
    pub name: CheckName,
    /// What is looked at.
    pub probe: Probe,
    /// How long one try may take.
    pub timeout: Duration,
    /// How often it is tried before it has failed: a service needs a while to come up.
    pub tries: u32,
    /// The time between two tries.
    pub pause: Duration,
    /// For how long it must go well after an update.
    pub steady: Duration,
}

/// For how long a check may be watched after an update: the guest is being worked on for so long.
const LONGEST_STEADY: u64 = 3600;

/// What is looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Probe {
    /// A shell command, which ends with 0.
    Command(String),
    /// A TCP port, which takes connections.
    Tcp {
        /// The host, as the guest sees it.
        host: String,
        /// The port.
        port: u16,
    },
    /// A web page, which has this status.
    Http {
        /// Where, as the guest sees it.
        url: String,
        /// The status.
        status: u16,
    },
    /// A service of OpenRC or systemd, which runs.
    Service(String),
}

pub(super) type Checks = BTreeMap<CheckName, Check>;

pub(super) fn check(fragments: &BTreeMap<CheckName, CheckFragment>) -> Result<Checks, Invalid> {
    let one = |(name, fragment): (&CheckName, &CheckFragment)| {
        let probe = probe(name, fragment)?;
        let table = format!("checks.{name}");
        let seconds = |key: &str, value: Option<u64>, default: u64| match value {
            Some(0) => Err(Invalid::Zero {
                key: format!("{table}.{key}"),
            }),
            value => Ok(Duration::from_secs(value.unwrap_or(default))),
        };
        let check = Check {
            name: name.clone(),
            probe,
            timeout: seconds("timeout_seconds", fragment.timeout_seconds, 10)?,
            tries: match fragment.tries {
                Some(0) => {
                    let key = format!("{table}.tries");
                    return Err(Invalid::Zero { key });
                }
                tries => tries.unwrap_or(3),
            },
            pause: seconds("pause_seconds", fragment.pause_seconds, 5)?,
            steady: match fragment.steady_seconds.unwrap_or_default() {
                steady @ 0..=LONGEST_STEADY => Duration::from_secs(steady),
                steady => {
                    let check = name.clone();
                    let cause = format!(
                        "steady_seconds is {steady}; it must be at most {LONGEST_STEADY}, since the \
                         guest is being worked on for so long"
                    );
                    return Err(Invalid::Check { check, cause });
                }
            },
        };
        Ok((name.clone(), check))
    };
    fragments.iter().map(one).collect()
}

fn probe(name: &CheckName, fragment: &CheckFragment) -> Result<Probe, Invalid> {
    let invalid = |cause: &str| Invalid::Check {
        check: name.clone(),
        cause: cause.to_owned(),
    };
    if fragment.status.is_some() && fragment.http.is_none() {
        return Err(invalid("status is that of http, which is missing"));
    }
    let CheckFragment {
        command,
        tcp,
        http,
        service,
        ..
    } = fragment;
    match (command, tcp, http, service) {
        (Some(command), None, None, None) if command.trim().is_empty() => {
            Err(invalid("command is empty"))
        }
        (Some(command), None, None, None) => Ok(Probe::Command(command.clone())),
        (None, Some(address), None, None) => {
            let (host, port) = address.rsplit_once(':').unwrap_or(("127.0.0.1", address));
            let host = host
                .trim_start_matches('[')
                .trim_end_matches(']')
                .to_owned();
            match port.parse() {
                Ok(port) if port > 0 && !host.is_empty() => Ok(Probe::Tcp { host, port }),
                _ => Err(invalid("tcp must be a port, or host:port")),
            }
        }
        (None, None, Some(url), None) => {
            if !url.starts_with("http://") && !url.starts_with("https://") {
                return Err(invalid("http must be a URL, as http://127.0.0.1/health"));
            }
            let status = fragment.status.unwrap_or(200);
            let url = url.clone();
            Ok(Probe::Http { url, status })
        }
        (None, None, None, Some(service)) => {
            let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_.@:".contains(c);
            match service.starts_with(|c: char| c.is_ascii_alphanumeric())
                && service.chars().all(is_plain)
            {
                true => Ok(Probe::Service(service.clone())),
                false => Err(invalid("service must be the name of a service")),
            }
        }
        (None, None, None, None) => Err(invalid(
            "it must have one of command, tcp, http and service",
        )),
        _ => Err(invalid(
            "it may have only one of command, tcp, http and service",
        )),
    }
}

/// The checks of these names, which stand at this key.
pub(super) fn named(key: &str, names: &[CheckName], all: &Checks) -> Result<Vec<Check>, Invalid> {
    let find = |name: &CheckName| {
        all.get(name).cloned().ok_or_else(|| Invalid::CheckUnknown {
            key: key.to_owned(),
            check: name.clone(),
        })
    };
    names.iter().map(find).collect()
}
