//! `trust`: teach a machine's host keys, after a person has looked at them.

use gentoo_updater_fleet::config::Settings;
use gentoo_updater_fleet::words::counted;
use gentoo_updater_hosts::{HostAddress, trust};

use crate::WrongUsage;
use crate::arguments::TrustOptions;
use crate::ask::agreed;

/// Shows the keys that a machine offers, asks, and writes them to the first known_hosts file.
pub(crate) async fn trust(settings: &Settings, options: TrustOptions) -> anyhow::Result<u8> {
    let address = address_of(settings, &options.host)?;
    let HostAddress::Ssh(server) = &address else {
        println!(
            "{} is this machine; it has no host key to trust.",
            options.host
        );
        return Ok(crate::EXIT_ALL_UPDATED);
    };
    let Some(file) = settings.ssh.known_hosts.first() else {
        anyhow::bail!("ssh.known_hosts is empty, so there is no file to write to");
    };
    let keys = trust::scan_host_keys(server).await?;
    println!("{address} offers these host keys:");
    for key in &keys {
        println!("  {} {}", key.algorithm(), key.fingerprint());
    }
    println!(
        "Compare them with what this prints on the machine itself:\n  \
         for key in /etc/ssh/ssh_host_*_key.pub; do ssh-keygen -lf \"$key\"; done"
    );
    let question = format!("Trust them, in {}?", file.display());
    let remedy = "use --yes if you have compared the fingerprints";
    if !agreed(&question, options.yes, remedy)? {
        println!("Nothing was written.");
        return Ok(crate::EXIT_WITH_FAILURES);
    }
    trust::append(file, server, &keys)?;
    let keys = counted(keys.len(), "key");
    println!("{keys} written to {}.", file.display());
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
