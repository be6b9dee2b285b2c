//! `store keys`: with what builders sign binaries, and whom guests trust.

mod arguments;
mod builders;
mod change;
mod document;
mod sign;
mod teach;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use gentoo_updater_fleet::config::Settings;
use gentoo_updater_fleet::fingerprint::Fingerprint;
use gentoo_updater_fleet::message::Failure;
use gentoo_updater_fleet::name::{BuilderName, PlatformName};
use gentoo_updater_runtime::signing::{Announcement, Keys, State, announce};
use gentoo_updater_runtime::{EXIT_COULD_NOT_RUN, Machines};
use jiff::Timestamp;

use super::places;
use crate::{WrongUsage, output};
pub(super) use arguments::KeysCommand;
use arguments::{InitOptions, ListOptions};
use builders::{Answers, Asked};
use document::{KeyView, KeysDocument, PublicDocument};

/// Carries out a command about keys.
pub(super) async fn keys(settings: Arc<Settings>, command: KeysCommand) -> anyhow::Result<u8> {
    let machines = Machines::new(settings.clone());
    match command {
        KeysCommand::Init(options) => init(&settings, &machines, options).await,
        KeysCommand::List(options) => list(&settings, &machines, options).await,
        KeysCommand::Show(options) => show(&settings, &machines, options).await,
        KeysCommand::Teach(options) => teach::teach(&settings, &machines, options).await,
        KeysCommand::Rotate(options) => change::rotate(&settings, &machines, options).await,
        KeysCommand::Sign(options) => sign::sign(&settings, &machines, options).await,
        KeysCommand::Retire(options) => change::retire(&settings, &machines, options).await,
    }
}

/// Gives each builder a key that has none that signs.
async fn init(
    settings: &Settings,
    machines: &Machines,
    options: InitOptions,
) -> anyhow::Result<u8> {
    check(settings, options.platform.as_ref(), &options.builder)?;
    let is_wanted = wanted(options.platform.as_ref(), &options.builder);
    let answers = builders::ask(settings, machines, now(), is_wanted).await;
    let mut failed = false;
    for builder in &answers.asked {
        match make(settings, builder, &options.expires).await {
            Ok(said) => println!("{said}"),
            Err(failure) => {
                failed = true;
                eprintln!(
                    "{}: {}",
                    builder.name,
                    output::harmless(&failure.to_string())
                );
            }
        }
    }
    tell_of_failures(&answers);
    let unsigned: Vec<&PlatformName> = answers
        .asked
        .iter()
        .map(|builder| &builder.platform)
        .filter(|name| !settings.platforms.get(*name).is_some_and(|it| it.sign))
        .collect();
    if let Some(platform) = unsigned.first() {
        println!(
            "Nothing is signed until the configuration of all workers says `sign = true` in \
             [platforms.{platform}]."
        );
    }
    println!(
        "Guests that are to require signatures must know the keys: `gentoo-updater store keys teach \
         GUEST…`, or what `gentoo-updater store keys show` prints."
    );
    Ok(match failed || !answers.failed.is_empty() {
        true => EXIT_COULD_NOT_RUN,
        false => crate::EXIT_DONE,
    })
}

/// Makes a key where none signs. One that was made before and not put to use is taken.
async fn make(settings: &Settings, builder: &Asked, expires: &str) -> Result<String, Failure> {
    if let Some(key) = builder.in_use() {
        return Ok(format!("{} has {} already.", builder.name, key.fingerprint));
    }
    let keys = Keys::of(builder.host.as_ref());
    let left = builder.keys.iter().filter(|key| key.state == State::Former);
    let key = match left.max_by_key(|key| key.created) {
        Some(key) => key.fingerprint.clone(),
        None => keys.create(&name_of(&builder.name), expires).await?,
    };
    put_to_use(settings, builder, &key).await?;
    Ok(format!("{} signs with {key} from now on.", builder.name))
}

/// What gpg shows as the owner of a key. By its beginning guests tell such keys from others.
fn name_of(builder: &BuilderName) -> String {
    format!("gentoo-updater {builder}")
}

/// Has a builder sign with a key, and its store told of all that it has.
async fn put_to_use(
    settings: &Settings,
    builder: &Asked,
    key: &Fingerprint,
) -> Result<(), Failure> {
    let keys = Keys::of(builder.host.as_ref());
    keys.put_to_use(key).await?;
    let all = keys.list(now()).await?;
    let told: Vec<Announcement> = all
        .into_iter()
        .filter(|key| key.state.counts())
        .map(|key| Announcement {
            fingerprint: key.fingerprint,
            builder: builder.name.clone(),
            expires: key.expires,
        })
        .collect();
    match settings.platforms.get(&builder.platform) {
        Some(platform) => announce(builder.host.as_ref(), &platform.store, &told).await,
        None => Ok(()),
    }
}

/// Shows the keys.
async fn list(
    settings: &Settings,
    machines: &Machines,
    options: ListOptions,
) -> anyhow::Result<u8> {
    check(settings, options.platform.as_ref(), &[])?;
    let now = now();
    let is_wanted = wanted(options.platform.as_ref(), &[]);
    let answers = builders::ask(settings, machines, now, is_wanted).await;
    let (document, without) = of(&answers, now);
    if options.json {
        output::print_json(&document)?;
    } else {
        let text = document.to_text(&without);
        output::print(|output| output.write_all(text.as_bytes()))?;
    }
    Ok(tell_of_failures(&answers))
}

fn of(answers: &Answers, now: u64) -> (KeysDocument, Vec<BuilderName>) {
    let keys = answers.asked.iter().flat_map(|builder| {
        builder.keys.iter().map(|key| KeyView {
            platform: builder.platform.clone(),
            builder: builder.name.clone(),
            key: key.clone(),
            days_left: key.days_left(now),
        })
    });
    let failed = answers.failed.iter();
    let document = KeysDocument {
        keys: keys.collect(),
        failed: failed
            .map(|(name, failure)| (name.clone(), failure.to_string()))
            .collect(),
    };
    let without = answers.asked.iter().filter(|it| it.in_use().is_none());
    (document, without.map(|it| it.name.clone()).collect())
}

/// Prints the public keys.
async fn show(
    settings: &Settings,
    machines: &Machines,
    options: ListOptions,
) -> anyhow::Result<u8> {
    check(settings, options.platform.as_ref(), &[])?;
    let is_wanted = wanted(options.platform.as_ref(), &[]);
    let answers = builders::ask(settings, machines, now(), is_wanted).await;
    let document = PublicDocument {
        trusted: answers
            .asked
            .iter()
            .flat_map(Asked::trusted)
            .cloned()
            .collect(),
        armored: builders::export(&answers.asked)
            .await
            .map_err(places::said)?,
    };
    if document.trusted.is_empty() {
        tell_of_failures(&answers);
        anyhow::bail!("no builder has a key; `gentoo-updater store keys init` makes them");
    }
    if options.json {
        output::print_json(&document)?;
    } else {
        let text = document.to_text();
        output::print(|output| output.write_all(text.as_bytes()))?;
    }
    Ok(tell_of_failures(&answers))
}

/// Names the builders that could not be asked, and gives the exit code that comes of it.
fn tell_of_failures(answers: &Answers) -> u8 {
    for (name, failure) in &answers.failed {
        let text = format!("{name} cannot be asked for its keys: {failure}");
        eprintln!("{}", output::harmless(&text));
    }
    match answers.failed.is_empty() {
        true => crate::EXIT_DONE,
        false => EXIT_COULD_NOT_RUN,
    }
}

fn wanted<'a>(
    platform: Option<&'a PlatformName>,
    builders: &'a [BuilderName],
) -> impl Fn(&BuilderName, &PlatformName) -> bool + 'a {
    move |name, of| {
        platform.is_none_or(|platform| platform == of)
            && (builders.is_empty() || builders.contains(name))
    }
}

fn check(
    settings: &Settings,
    platform: Option<&PlatformName>,
    builders: &[BuilderName],
) -> anyhow::Result<()> {
    places::check(settings, platform)?;
    for name in builders {
        if !settings.builders.contains_key(name) {
            let message = format!("the configuration names no builder {name}");
            return Err(WrongUsage(message).into());
        }
    }
    Ok(())
}

/// In seconds since 1970.
fn now() -> u64 {
    u64::try_from(Timestamp::now().as_second()).unwrap_or(0)
}
