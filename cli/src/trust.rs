//! `trust`: teach a machine's host keys, after a person has looked at them.

use std::path::Path;

use gentoo_updater_fleet::config::Settings;
use gentoo_updater_fleet::words::counted;
use gentoo_updater_hosts::trust::HostPatternsError;
use gentoo_updater_hosts::{HostAddress, trust};
use gentoo_updater_runtime::ssh_settings;

use crate::WrongUsage;
use crate::arguments::TrustOptions;
use crate::ask::agreed;

/// What to do where nobody can be asked.
const REMEDY: &str = "use --yes if you have compared the fingerprints";

/// Shows the keys that a machine offers, or that of an authority, asks, and writes them to the first
/// known_hosts file.
pub(crate) async fn trust(settings: &Settings, options: TrustOptions) -> anyhow::Result<u8> {
    let Some(file) = settings.ssh.known_hosts.first() else {
        anyhow::bail!("ssh.known_hosts is empty, so there is no file to write to");
    };
    match (&options.host, &options.ca) {
        (Some(host), _) => trust_machine(settings, host, file, &options).await,
        (None, Some(ca)) => trust_authority(ca, &options.hosts, file, options.yes).await,
        // clap asks for one of them.
        (None, None) => Err(WrongUsage("name a host or an authority".to_owned()).into()),
    }
}

async fn trust_machine(
    settings: &Settings,
    host: &str,
    file: &Path,
    options: &TrustOptions,
) -> anyhow::Result<u8> {
    let address = address_of(settings, host)?;
    let HostAddress::Ssh(server) = &address else {
        println!("{host} is this machine; it has no host key to trust.");
        return Ok(crate::EXIT_ALL_UPDATED);
    };
    let offered = trust::scan_host_keys(server, &ssh_settings(settings)).await?;
    println!("{address} offers these host keys:");
    for key in &offered.keys {
        println!("  {} {}", key.algorithm(), key.fingerprint());
    }
    let former = trust::not_among(&offered.keys, &offered.names, &offered.known_hosts)?;
    if !former.is_empty() {
        println!(
            "OTHER KEYS ARE KNOWN of this machine. Unless it was set up anew, somebody may stand in \
             between:"
        );
        for entry in &former {
            let (key, file) = (&entry.key, entry.file.display());
            let (algorithm, fingerprint) = (key.algorithm(), key.fingerprint());
            println!("  {algorithm} {fingerprint} ({file}:{})", entry.line);
        }
    }
    if !options.yes {
        println!(
            "Compare them with what this prints on the machine itself:\n  \
             for key in /etc/ssh/ssh_host_*_key.pub; do ssh-keygen -lf \"$key\"; done"
        );
    }
    if !former.is_empty() && options.yes && !options.replace {
        let message = "other keys are known; use --replace if the machine was set up anew";
        return Err(WrongUsage(message.to_owned()).into());
    }
    let question = match former.is_empty() {
        true => format!("Trust them, in {}?", file.display()),
        false => format!(
            "Trust the new keys and remove the other ones, in {}?",
            file.display()
        ),
    };
    if !agreed(&question, options.yes, REMEDY).await? {
        println!("Nothing was written.");
        return Ok(crate::EXIT_WITH_FAILURES);
    }
    let (written, removed) = trust::replace(file, &offered.names, &offered.keys)?;
    match written {
        0 => println!("{} has them already.", file.display()),
        _ => println!("{} written to {}.", counted(written, "key"), file.display()),
    }
    if removed > 0 {
        println!("{} removed from it.", counted(removed, "former key"));
    }
    for entry in trust::not_among(&offered.keys, &offered.names, &offered.known_hosts)? {
        println!(
            "{}:{} has another key, and more machines or another owner; it was left as it is.",
            entry.file.display(),
            entry.line
        );
    }
    Ok(crate::EXIT_ALL_UPDATED)
}

async fn trust_authority(ca: &Path, hosts: &str, file: &Path, yes: bool) -> anyhow::Result<u8> {
    let hosts_text = hosts;
    let hosts = hosts
        .parse()
        .map_err(|error: HostPatternsError| WrongUsage(error.to_string()))?;
    let authority = trust::read_authority(ca)?;
    println!("The authority of {}:", ca.display());
    println!("  {} {}", authority.algorithm(), authority.fingerprint());
    println!(
        "Whoever has its private key can vouch for a machine in the place of {hosts_text}.\n\
         Compare its fingerprint with what its keeper names."
    );
    let question = format!("Trust it, in {}?", file.display());
    if !agreed(&question, yes, REMEDY).await? {
        println!("Nothing was written.");
        return Ok(crate::EXIT_WITH_FAILURES);
    }
    match trust::append_authority(file, &hosts, &authority)? {
        0 => println!("{} has it already.", file.display()),
        _ => println!("The authority is written to {}.", file.display()),
    }
    Ok(crate::EXIT_ALL_UPDATED)
}

/// A name of the configuration comes before an address.
fn address_of(settings: &Settings, host: &str) -> anyhow::Result<HostAddress> {
    let guest = host
        .parse()
        .ok()
        .and_then(|name| settings.guests.get(&name));
    let builder = host
        .parse()
        .ok()
        .and_then(|name| settings.builders.get(&name));
    let named = guest
        .map(|g| &g.address)
        .or_else(|| builder.map(|b| &b.address));
    let Some(address) = named else {
        return host.parse().map_err(|_| {
            let guests = settings.guests.keys().map(|name| name.as_str());
            let builders = settings.builders.keys().map(|name| name.as_str());
            let known: Vec<&str> = guests.chain(builders).collect();
            let message = format!(
                "the configuration names no {host}; it names {}. An address such as \
                 ssh://root@{host} will do, too",
                known.join(", ")
            );
            WrongUsage(message).into()
        });
    };
    Ok(address.parse()?)
}
