//! `store keys rotate` and `store keys retire`: other keys than those that there were.

use std::collections::BTreeSet;

use gentoo_updater_fleet::config::Settings;
use gentoo_updater_fleet::fingerprint::Fingerprint;
use gentoo_updater_fleet::name::PlatformName;
use gentoo_updater_fleet::words::counted;
use gentoo_updater_janitor::store::signing;
use gentoo_updater_runtime::signing::{Keys, State, VERIFY_HOME, withdraw};
use gentoo_updater_runtime::{EXIT_COULD_NOT_RUN, Machines};

use super::arguments::{RetireOptions, RotateOptions};
use super::builders::{self, Asked};
use super::teach::{Taught, teach_all};
use super::{check, name_of, now, put_to_use, tell_of_failures, wanted};
use crate::ask::agreed;
use crate::store::places;
use crate::{WrongUsage, output};

/// Makes a new key for each builder that had one, and puts it to use.
pub(super) async fn rotate(
    settings: &Settings,
    machines: &Machines,
    options: RotateOptions,
) -> anyhow::Result<u8> {
    let new = &options.new;
    check(settings, new.platform.as_ref(), &new.builder)?;
    let is_wanted = wanted(new.platform.as_ref(), &new.builder);
    let before = builders::ask(settings, machines, now(), &is_wanted).await;
    let is_silent = tell_of_failures(&before) != crate::EXIT_DONE;
    let (with_keys, without): (Vec<&Asked>, Vec<&Asked>) =
        before.asked.iter().partition(|it| !it.keys.is_empty());
    for builder in without {
        eprintln!(
            "{} has no key yet: `gentoo-updater store keys init`",
            builder.name
        );
    }
    // Before anything is made that would stay where nobody agrees.
    if !with_keys.is_empty() {
        let question = question(settings, &with_keys, options.teach);
        if !agreed(&question, options.yes, "use --yes").await? {
            println!("Nothing was changed.");
            return Ok(crate::EXIT_WITH_FAILURES);
        }
    }
    let mut made: Vec<(&Asked, Fingerprint)> = Vec::new();
    for builder in with_keys {
        let keys = Keys::of(builder.host.as_ref());
        let key = keys.create(&name_of(&builder.name), &new.expires).await;
        made.push((builder, key.map_err(places::said)?));
    }
    if options.teach {
        let platforms: BTreeSet<&PlatformName> =
            made.iter().map(|(builder, _)| &builder.platform).collect();
        let is_of_them = |_: &_, platform: &PlatformName| platforms.contains(platform);
        let answers = builders::ask(settings, machines, now(), is_of_them).await;
        let guests = settings.guests.iter();
        let guests: Vec<_> = guests
            .filter(|(_, guest)| platforms.contains(&guest.platform))
            .map(|(name, guest)| (name, &guest.platform))
            .collect();
        let failed = match teach_all(machines, &answers, &guests, true).await? {
            Taught::Refused => guests.len(),
            Taught::But(failed) => failed,
        };
        if failed > 0 {
            for (builder, key) in &made {
                let keys = Keys::of(builder.host.as_ref());
                keys.delete(key).await.map_err(places::said)?;
            }
            eprintln!(
                "{} did not learn the new keys, which were deleted again: the former ones sign on. \
                 Without --teach they are put to use in any case",
                counted(failed as u64, "guest")
            );
            return Ok(crate::EXIT_WITH_FAILURES);
        }
    }
    for (builder, key) in &made {
        put_to_use(settings, builder, key)
            .await
            .map_err(places::said)?;
        println!("{} signs with {key} from now on.", builder.name);
    }
    if !options.teach && !made.is_empty() {
        println!(
            "Guests that require signatures refuse what it signs until they know it: \
             `gentoo-updater store keys teach --all`."
        );
    }
    println!(
        "`gentoo-updater store keys sign` signs anew what the former keys signed, and `gentoo-updater \
         store keys retire` then takes them away."
    );
    Ok(match is_silent {
        true => EXIT_COULD_NOT_RUN,
        false => crate::EXIT_DONE,
    })
}

/// What a rotation does, as a question.
fn question(settings: &Settings, builders: &[&Asked], teach: bool) -> String {
    let names: Vec<&str> = builders.iter().map(|it| it.name.as_str()).collect();
    let platforms: BTreeSet<&PlatformName> = builders.iter().map(|it| &it.platform).collect();
    let of_them = settings
        .guests
        .iter()
        .filter(|(_, guest)| platforms.contains(&guest.platform));
    let guests: Vec<&str> = of_them.map(|(name, _)| name.as_str()).collect();
    let (names, guests) = (names.join(", "), guests.join(", "));
    match teach {
        true => format!("Give {names} a new key each, and have {guests} trust them?"),
        false => format!(
            "Give {names} a new key each? What it signs is refused by those of {guests} that require \
             signatures, until they are taught the key (--teach does that first)."
        ),
    }
}

/// Takes a key away.
pub(super) async fn retire(
    settings: &Settings,
    machines: &Machines,
    options: RetireOptions,
) -> anyhow::Result<u8> {
    let key = &options.key;
    let answers = builders::ask(settings, machines, now(), |_, _| true).await;
    tell_of_failures(&answers);
    let has_it = |builder: &&Asked| builder.keys.iter().any(|one| one.fingerprint == *key);
    let Some(builder) = answers.asked.iter().find(has_it) else {
        let message = format!("no builder that could be asked has the key {key}");
        return Err(WrongUsage(message).into());
    };
    let is_in_use = builder
        .in_use()
        .is_some_and(|used| used.fingerprint == *key);
    if is_in_use && !options.revoke {
        let message = format!(
            "{} signs with {key}: `gentoo-updater store keys rotate --builder {}` gives it another one \
             first",
            builder.name, builder.name
        );
        return Err(WrongUsage(message).into());
    }
    let host = builder.host.as_ref();
    let store = &settings.platforms[&builder.platform].store;
    let count = signing::count(host, store).await.map_err(places::said)?;
    let signed = count.signed.get(key).copied().unwrap_or(0);
    if signed > 0 && !options.revoke && !options.force {
        let message = format!(
            "{} in {} {} signed by {key} and would count no more: `gentoo-updater store keys sign` signs \
             them anew, --force does without",
            counted(signed, "binary file"),
            store.display(),
            if signed == 1 { "is" } else { "are" }
        );
        return Err(WrongUsage(message).into());
    }
    let what = match options.revoke {
        true => "Revoke",
        false => "Delete",
    };
    let question = format!(
        "{what} {key} of {}? {} would count no more.",
        builder.name,
        counted(signed, "binary file")
    );
    if !agreed(&question, options.yes, "use --yes").await? {
        println!("Nothing was changed.");
        return Ok(crate::EXIT_WITH_FAILURES);
    }
    // First of all it counts no more, whatever becomes of the rest.
    withdraw(host, store, key).await.map_err(places::said)?;
    let keys = Keys::of(host);
    if !options.revoke {
        keys.delete(key).await.map_err(places::said)?;
        println!(
            "{key} is gone, but for its revocation certificate on {}. Guests that know it trust it until \
             `gpg --homedir {VERIFY_HOME} --batch --yes --delete-keys {key}` is called on them; \
             `gentoo-updater store keys teach --all` names them.",
            builder.name
        );
        return Ok(crate::EXIT_DONE);
    }
    let mut own = builder.keys.iter();
    if !own.any(|one| one.fingerprint == *key && one.state == State::Revoked) {
        keys.revoke(key).await.map_err(places::said)?;
    }
    println!(
        "{key} is revoked. Guests learn that by `gentoo-updater store keys teach --all`, and trust it \
         until then."
    );
    if is_in_use {
        let text = format!(
            "{} has no key that signs: `gentoo-updater store keys init --builder {}`.",
            builder.name, builder.name
        );
        println!("{}", output::harmless(&text));
    }
    Ok(crate::EXIT_DONE)
}
