//! `store keys teach`: guests learn whose binaries they may install, after a person has agreed.

use std::collections::BTreeSet;

use gentoo_updater_fleet::config::Settings;
use gentoo_updater_fleet::fingerprint::Fingerprint;
use gentoo_updater_fleet::message::Failure;
use gentoo_updater_fleet::name::{GuestName, PlatformName};
use gentoo_updater_runtime::signing::{self, Demands, State};
use gentoo_updater_runtime::{EXIT_COULD_NOT_RUN, Machines};

use super::arguments::TeachOptions;
use super::builders::{self, Answers, Asked};
use super::{now, tell_of_failures};
use crate::ask::agreed;
use crate::{WrongUsage, output};

/// Shows the keys, asks, and teaches them.
pub(super) async fn teach(
    settings: &Settings,
    machines: &Machines,
    options: TeachOptions,
) -> anyhow::Result<u8> {
    let guests = guests(settings, &options)?;
    let platforms: BTreeSet<&PlatformName> = guests.iter().map(|(_, platform)| *platform).collect();
    let is_wanted = |_: &_, platform: &PlatformName| platforms.contains(platform);
    let answers = builders::ask(settings, machines, now(), is_wanted).await;
    tell_of_failures(&answers);
    for builder in &answers.asked {
        let in_use = builder.in_use().map(|key| &key.fingerprint);
        for key in builder.trusted() {
            let signs = match in_use == Some(key) {
                true => "signs",
                false => "signed earlier",
            };
            println!("{} {signs} for {}: {key}", builder.name, builder.platform);
        }
        for key in builder
            .keys
            .iter()
            .filter(|key| key.state == State::Revoked)
        {
            println!("{} has revoked {}", builder.name, key.fingerprint);
        }
    }
    if answers.asked.iter().all(|it| it.to_export().is_empty()) {
        anyhow::bail!("no builder has a key; `gentoo-updater store keys init` makes them");
    }
    let failed = match teach_all(machines, &answers, &guests, options.yes).await? {
        Taught::Refused => return Ok(crate::EXIT_WITH_FAILURES),
        Taught::But(failed) => failed,
    };
    Ok(match (failed, answers.failed.is_empty()) {
        (0, true) => crate::EXIT_DONE,
        (_, true) => crate::EXIT_WITH_FAILURES,
        // Some binary may come that is signed by a key which nobody was taught.
        (_, false) => EXIT_COULD_NOT_RUN,
    })
}

/// What became of the guests.
pub(super) enum Taught {
    /// The operator did not agree.
    Refused,
    /// All were taught but so many.
    But(usize),
}

/// Asks, and teaches these guests the keys of these builders.
pub(super) async fn teach_all(
    machines: &Machines,
    answers: &Answers,
    guests: &[(&GuestName, &PlatformName)],
    yes: bool,
) -> anyhow::Result<Taught> {
    let names: Vec<&str> = guests.iter().map(|(name, _)| name.as_str()).collect();
    let question = format!("Have {} trust these keys?", names.join(", "));
    if !agreed(&question, yes, "use --yes").await? {
        println!("Nobody was taught anything.");
        return Ok(Taught::Refused);
    }
    let mut failed = 0;
    for (guest, platform) in guests {
        match teach_one(machines, guest, platform, answers).await {
            Ok(said) => println!("{}", output::harmless(&said)),
            Err(failure) => {
                failed += 1;
                let text = format!("{guest} was not taught: {failure}");
                eprintln!("{}", output::harmless(&text));
            }
        }
    }
    Ok(Taught::But(failed))
}

fn guests<'a>(
    settings: &'a Settings,
    options: &TeachOptions,
) -> anyhow::Result<Vec<(&'a GuestName, &'a PlatformName)>> {
    for name in &options.guests {
        let guest = settings.guest(name);
        guest.map_err(|error| WrongUsage(error.to_string()))?;
    }
    let guests = settings.guests.iter();
    let wanted = guests.filter(|(name, _)| options.all || options.guests.contains(name));
    Ok(wanted
        .map(|(name, guest)| (name, &guest.platform))
        .collect())
}

/// Teaches one guest, and says what there is to say of it.
async fn teach_one(
    machines: &Machines,
    guest: &GuestName,
    platform: &PlatformName,
    answers: &Answers,
) -> Result<String, Failure> {
    let builders = || answers.asked.iter().filter(|it| it.platform == *platform);
    let trusted: Vec<Fingerprint> = builders().flat_map(Asked::trusted).cloned().collect();
    let armored = builders::export(builders()).await?;
    let host = machines.guest(guest).await?;
    let demands = Demands::ask(host.as_ref(), &format!("guest {guest}")).await?;
    let others = signing::teach(host.as_ref(), &demands.home, &armored, &trusted).await?;
    let home = demands.home.display();
    let mut text = match demands.requires {
        true => format!("{guest} trusts them, in {home}, and requires signatures."),
        false => format!(
            "{guest} trusts them, in {home}. It does not require signatures: that would be \
             FEATURES=\"${{FEATURES}} binpkg-request-signature\" in its make.conf."
        ),
    };
    let known: Vec<Fingerprint> = builders().flat_map(Asked::to_export).collect();
    for other in others {
        let fingerprint = other.split(' ').next().unwrap_or_default();
        // One that is revoked is there to be known as such.
        if known.iter().any(|key| key.as_str() == fingerprint) {
            continue;
        }
        text += &format!(
            "\n  It has another key, too, of which no builder knows that was asked: {other}. \
             `gpg --homedir {home} --delete-keys {fingerprint}` there takes it away."
        );
    }
    Ok(text)
}
