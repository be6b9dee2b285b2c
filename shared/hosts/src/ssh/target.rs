//! Where a connection goes, and what it is opened with: an address, resolved.

use std::path::PathBuf;

use super::configuration::{Answer, Question, files};
use super::known_hosts::HostNames;
use crate::address::{DEFAULT_PORT, DEFAULT_USER, HostAddress, SshAddress};
use crate::error::HostError;
use crate::host::{SshConfiguration, SshSettings, known_hosts_of_ssh, ssh_folder};

/// How many jump hosts one way may have.
const LONGEST_WAY: usize = 8;

/// A machine behind an ssh server, as [`SshSettings`] and ssh's configuration describe the way to it.
#[derive(Debug, Clone)]
pub struct Target {
    /// What was asked for.
    pub address: SshAddress,
    /// The name or IP address to dial.
    pub host: String,
    /// The port to dial.
    pub port: u16,
    /// The user to log in as.
    pub user: String,
    /// How known_hosts files and certificates call it.
    pub names: HostNames,
    /// The known_hosts files.
    pub known_hosts: Vec<PathBuf>,
    /// The private keys to log in with, in this order.
    pub identity_files: Vec<PathBuf>,
    /// The certificates to log in with, each with the key that it is about (ssh_config(5),
    /// CertificateFile). One that lies beside a private key is found without being named.
    pub certificate_files: Vec<PathBuf>,
    /// The socket of the agent.
    pub agent: Option<PathBuf>,
    /// Whether the agent is asked for the keys of the files only.
    pub identities_only: bool,
    /// The only family of addresses to connect to (ssh_config(5), AddressFamily).
    pub family: Option<Family>,
    /// The address of this machine to connect from (ssh_config(5), BindAddress).
    pub bind: Option<String>,
    /// How to get there.
    pub way: Way,
}

/// A family of addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    /// IPv4.
    Inet,
    /// IPv6.
    Inet6,
}

/// How to get to a server.
#[derive(Debug, Clone)]
pub enum Way {
    /// A TCP connection from here.
    Direct,
    /// Through a connection to another server (ssh_config(5), ProxyJump).
    Jump(Box<Target>),
    /// The input and output of a shell command (ssh_config(5), ProxyCommand).
    Command(String),
}

/// Finds the way to a machine.
///
/// # Errors
/// [`HostError::SshConfiguration`] when ssh's configuration cannot be read, or asks for what is not
/// supported here and must not be passed over.
pub async fn resolve(address: &SshAddress, settings: &SshSettings) -> Result<Target, HostError> {
    resolve_hop(address, settings, None, LONGEST_WAY).await
}

async fn resolve_hop(
    address: &SshAddress,
    settings: &SshSettings,
    jump: Option<&str>,
    hops: usize,
) -> Result<Target, HostError> {
    let question = Question::new(address, settings, jump);
    let Some(answer) = question.ask().await? else {
        let mut target = unconfigured(address, settings);
        if settings.known_hosts_of_ssh && settings.configuration == SshConfiguration::OfSsh {
            target.known_hosts.extend(known_hosts_of_ssh());
        }
        return Ok(target);
    };
    refuse_unsupported(&question, &answer)?;
    let host = answer.get("hostname").unwrap_or(address.host());
    let user = answer.get("user").unwrap_or(DEFAULT_USER);
    let port = answer.get("port").and_then(|port| port.parse().ok());
    // Checked as an address is: it may become a part of a command.
    let real = SshAddress::new(user, host, port.unwrap_or(DEFAULT_PORT))
        .map_err(|error| question.failed(error))?;
    let (host, port) = (real.host(), port.unwrap_or(DEFAULT_PORT));

    let mut target = Target {
        host: host.to_owned(),
        port,
        user: user.to_owned(),
        names: match answer.get("hostkeyalias") {
            Some(alias) => HostNames::alias(&alias.to_ascii_lowercase()),
            None => HostNames::of(host, port),
        },
        ..unconfigured(address, settings)
    };
    if settings.known_hosts_of_ssh {
        let lists = ["userknownhostsfile", "globalknownhostsfile"];
        let of_ssh = lists.iter().filter_map(|list| answer.get(list));
        let of_ssh: Vec<PathBuf> = of_ssh.flat_map(files).collect();
        // A file that is not found would count as an empty one, and with it what it revokes.
        if let Some(relative) = of_ssh.iter().find(|file| file.is_relative()) {
            let cause = "names a known_hosts file by no absolute path; write / or ~ before it";
            return Err(question.failed(format!("{}: {cause}", relative.display())));
        }
        target.known_hosts.extend(of_ssh);
    }
    target.agent = match answer.all("identityagent").next() {
        None | Some("SSH_AUTH_SOCK") => environment("SSH_AUTH_SOCK"),
        Some(none) if none.eq_ignore_ascii_case("none") => None,
        Some(variable) if variable.starts_with('$') => environment(&variable[1..]),
        Some(path) => question.expand(&[path]).await?.pop(),
    };
    target.family = match answer.get("addressfamily") {
        Some("inet") => Some(Family::Inet),
        Some("inet6") => Some(Family::Inet6),
        _ => None,
    };
    target.bind = answer.get("bindaddress").map(str::to_owned);
    if settings.identity_files.is_none() {
        let written: Vec<&str> = answer.all("certificatefile").collect();
        let written = written
            .into_iter()
            .filter(|file| !file.eq_ignore_ascii_case("none"));
        target.certificate_files = question.expand(&written.collect::<Vec<_>>()).await?;
        let written: Vec<&str> = answer
            .all("identityfile")
            .filter(|file| !file.eq_ignore_ascii_case("none"))
            .collect();
        target.identity_files = question.expand(&written).await?;
        target.identities_only = answer.is_yes("identitiesonly");
    }
    if let Some(hop) = answer.get("proxyjump") {
        if hops == 0 {
            return Err(question.failed(format!("the way has more than {LONGEST_WAY} jump hosts")));
        }
        // The last of the list is the next to this machine; the others lead to it.
        let (others, hop) = match hop.rsplit_once(',') {
            Some((others, hop)) => (Some(others), hop),
            None => (None, hop),
        };
        let hop =
            jump_host(hop).ok_or_else(|| question.failed(format!("{hop:?} is no jump host")))?;
        let next = Box::pin(resolve_hop(&hop, settings, others, hops - 1)).await?;
        target.way = Way::Jump(Box::new(next));
    } else if let Some(command) = answer.get("proxycommand") {
        let command = expand_command(command, &target).map_err(|cause| question.failed(cause))?;
        target.way = Way::Command(command);
    } else if answer.get("bindinterface").is_some() && target.bind.is_none() {
        return Err(question.failed(
            "BindInterface is not supported; name an address of the interface with BindAddress",
        ));
    }
    Ok(target)
}

/// `user@host:port` or such a URI. `ssh -G` puts an IPv4 address into brackets, too.
fn jump_host(text: &str) -> Option<SshAddress> {
    let text = text.strip_prefix("ssh://").unwrap_or(text);
    let without_brackets = || {
        let (before, rest) = text.split_once('[')?;
        let (host, after) = rest.split_once(']')?;
        (!host.contains(':')).then(|| format!("{before}{host}{after}"))
    };
    let text = without_brackets().unwrap_or_else(|| text.to_owned());
    match format!("ssh://{text}").parse() {
        Ok(HostAddress::Ssh(address)) => Some(address),
        Ok(HostAddress::Local) | Err(_) => None,
    }
}

/// What holds where ssh's configuration says nothing.
fn unconfigured(address: &SshAddress, settings: &SshSettings) -> Target {
    let port = address.port().unwrap_or(DEFAULT_PORT);
    let default_identities = || {
        ["id_ed25519", "id_ecdsa", "id_rsa"]
            .map(|name| ssh_folder().join(name))
            .to_vec()
    };
    Target {
        host: address.host().to_owned(),
        port,
        user: address.user().unwrap_or(DEFAULT_USER).to_owned(),
        names: HostNames::of(address.host(), port),
        known_hosts: settings.known_hosts.clone(),
        identity_files: settings
            .identity_files
            .clone()
            .unwrap_or_else(default_identities),
        agent: environment("SSH_AUTH_SOCK"),
        // Who names the keys wants these and no others.
        identities_only: settings.identity_files.is_some(),
        certificate_files: Vec::new(),
        family: None,
        bind: None,
        way: Way::Direct,
        address: address.clone(),
    }
}

/// What would be less safe, or lead elsewhere, if it were passed over.
fn refuse_unsupported(question: &Question<'_>, answer: &Answer) -> Result<(), HostError> {
    if answer.get("revokedhostkeys").is_some() {
        return Err(question.failed(
            "RevokedHostKeys is not supported; write the keys with @revoked into a known_hosts file",
        ));
    }
    if answer.get("knownhostscommand").is_some() {
        return Err(question.failed(
            "KnownHostsCommand is not supported; write what it prints into a known_hosts file",
        ));
    }
    if answer.is_yes("proxyusefdpass") {
        return Err(question.failed("ProxyUseFdpass is not supported"));
    }
    Ok(())
}

/// The tokens of ssh_config(5), ProxyCommand.
fn expand_command(command: &str, target: &Target) -> Result<String, String> {
    let mut expanded = String::new();
    let mut characters = command.chars();
    while let Some(character) = characters.next() {
        if character != '%' {
            expanded.push(character);
            continue;
        }
        match characters.next() {
            Some('%') => expanded.push('%'),
            Some('h') => expanded += &target.host,
            Some('n') => expanded += target.address.host(),
            Some('p') => expanded += &target.port.to_string(),
            Some('r') => expanded += &target.user,
            token => return Err(format!("ProxyCommand has the unknown token %{token:?}")),
        }
    }
    Ok(expanded)
}

fn environment(variable: &str) -> Option<PathBuf> {
    std::env::var_os(variable)
        .filter(|value| !value.is_empty())
        .map(PathBuf::from)
}

impl Target {
    /// The server and the way to it in one text; equal texts are the same server.
    pub(super) fn route(&self) -> String {
        let end = format!("{} port {}", self.host, self.port);
        match &self.way {
            Way::Direct => end,
            Way::Jump(jump) => format!("{end}, by {}", jump.route()),
            Way::Command(command) => format!("{end}, by {command}"),
        }
    }

    pub(super) fn host_address(&self) -> HostAddress {
        HostAddress::Ssh(self.address.clone())
    }

    /// The error of a server that cannot be reached. Where it really was looked for is said, unless
    /// the address says it.
    pub(super) fn unreachable(&self, cause: impl ToString) -> HostError {
        let cause = cause.to_string();
        let asked = (
            self.address.host(),
            self.address.port().unwrap_or(DEFAULT_PORT),
        );
        let is_as_asked = asked == (&*self.host, self.port) && matches!(self.way, Way::Direct);
        HostError::Unreachable {
            address: self.host_address(),
            cause: match is_as_asked {
                true => cause,
                false => format!("{cause} (at {})", self.route()),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_configuration_it_is_root_at_port_22_unless_the_address_says_otherwise() {
        let settings = SshSettings::default();
        let target = |text: &str| match text.parse().unwrap() {
            HostAddress::Ssh(address) => unconfigured(&address, &settings),
            HostAddress::Local => panic!("not ssh"),
        };
        let plain = target("ssh://web1");
        assert_eq!((&*plain.user, plain.port), ("root", 22));
        assert_eq!(plain.names.name(), "web1");
        let explicit = target("ssh://larry@web1:24");
        assert_eq!((&*explicit.user, explicit.port), ("larry", 24));
        assert_eq!(explicit.names.name(), "[web1]:24");
    }

    #[test]
    fn a_jump_host_is_read_as_ssh_prints_it() {
        for (text, expected) in [
            ("jump", "ssh://jump"),
            ("moe@jump:24", "ssh://moe@jump:24"),
            ("moe@[10.0.0.1]:24", "ssh://moe@10.0.0.1:24"),
            ("[::1]:24", "ssh://[::1]:24"),
            ("ssh://moe@jump", "ssh://moe@jump"),
        ] {
            assert_eq!(jump_host(text).unwrap().to_string(), expected);
        }
        assert!(jump_host("-x@jump").is_none());
    }

    #[test]
    fn the_tokens_of_a_proxy_command_are_expanded_and_unknown_ones_refused() {
        let address = SshAddress::new("larry", "web1", 24).unwrap();
        let target = unconfigured(&address, &SshSettings::default());
        assert_eq!(
            expand_command("nc %h %p # %r %n 100%%", &target).unwrap(),
            "nc web1 24 # larry web1 100%"
        );
        assert!(expand_command("nc %x", &target).is_err());
        assert!(expand_command("nc %", &target).is_err());
    }
}
