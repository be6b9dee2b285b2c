//! `store keys sign`: what the stores hold is signed with the keys that are in use.

use std::collections::BTreeMap;
use std::io::IsTerminal as _;
use std::sync::Arc;

use gentoo_updater_fleet::config::Settings;
use gentoo_updater_fleet::message::Failure;
use gentoo_updater_fleet::name::{BuilderName, PlatformName, StorePath};
use gentoo_updater_fleet::words::counted;
use gentoo_updater_janitor::store::signing::{self, Count, Done, Whose};
use gentoo_updater_runtime::signing::{Key, Keys, State};
use gentoo_updater_runtime::{EXIT_COULD_NOT_RUN, Machines};
use serde::Serialize;

use super::arguments::SignOptions;
use super::builders::{self, Answers, Asked};
use super::{check, now, tell_of_failures, wanted};
use crate::ask::agreed;
use crate::output;
use crate::store::{places, quiet};

/// The document of `store keys sign --json`.
#[derive(Debug, Default, Serialize)]
struct SignedDocument {
    platforms: BTreeMap<PlatformName, SignedView>,
}

/// What was done in the store of a platform.
#[derive(Debug, Default, Serialize)]
struct SignedView {
    /// How many binaries each builder has signed.
    signed: BTreeMap<BuilderName, u64>,
    /// What could not be signed.
    refused: BTreeMap<StorePath, String>,
    /// What nobody has signed, and was not to be.
    unsigned: u64,
    /// What was signed by keys that no builder has that could be asked.
    by_others: u64,
}

/// Signs what the stores hold.
pub(super) async fn sign(
    settings: &Arc<Settings>,
    machines: &Machines,
    options: SignOptions,
) -> anyhow::Result<u8> {
    check(settings, options.platform.as_ref(), &[])?;
    nothing_goes_on(settings).await.map_err(places::said)?;
    let is_wanted = wanted(options.platform.as_ref(), &[]);
    let answers = builders::ask(settings, machines, now(), is_wanted).await;
    let is_silent = tell_of_failures(&answers) != crate::EXIT_DONE;
    if options.unsigned {
        let question = "Sign what nobody has signed? Whoever could write to the stores can have put a \
                        binary of his own there.";
        if !agreed(question, options.yes, "use --yes").await? {
            println!("Nothing was signed.");
            return Ok(crate::EXIT_WITH_FAILURES);
        }
    }
    let mut document = SignedDocument::default();
    for (name, platform) in &settings.platforms {
        if answers
            .asked
            .iter()
            .any(|builder| builder.platform == *name)
        {
            let view = one(settings, &answers, name, &platform.store, &options).await?;
            document.platforms.insert(name.clone(), view);
        }
    }
    if options.json {
        output::print_json(&document)?;
    } else {
        let text = document.to_text();
        output::print(|output| output.write_all(text.as_bytes()))?;
    }
    let mut views = document.platforms.values();
    Ok(
        match (is_silent, views.any(|view| !view.refused.is_empty())) {
            (true, _) => EXIT_COULD_NOT_RUN,
            (false, true) => crate::EXIT_WITH_FAILURES,
            (false, false) => crate::EXIT_DONE,
        },
    )
}

/// A run has told guests which files to expect.
async fn nothing_goes_on(settings: &Arc<Settings>) -> Result<(), Failure> {
    let words = "goes on, and what is signed anew would be other files than its guests expect: wait until \
                 it is over, and call this again. What is signed already stays so";
    quiet::check(settings, None, words).await
}

/// Signs in one store, by each builder what its former keys have signed.
async fn one(
    settings: &Arc<Settings>,
    answers: &Answers,
    platform: &PlatformName,
    store: &std::path::Path,
    options: &SignOptions,
) -> anyhow::Result<SignedView> {
    let mut view = SignedView::default();
    let mut left: Option<(&Asked, Count)> = None;
    let mut unsigned = options.unsigned;
    for builder in &answers.asked {
        if builder.platform != *platform || builder.in_use().is_none() {
            continue;
        }
        let is_former = |key: &&Key| matches!(key.state, State::Former | State::Expired);
        let former = builder.keys.iter().filter(is_former);
        let former = former.map(|key| (key.fingerprint.clone(), key.last_second()));
        let whose = Whose {
            keys: former.collect(),
            unsigned: std::mem::take(&mut unsigned),
        };
        let host = builder.host.as_ref();
        let tell = |done: &Done| {
            if std::io::stderr().is_terminal() {
                eprint!("\r{}: {} signed", builder.name, done.signed);
            }
        };
        let permitted = async || nothing_goes_on(settings).await;
        let keys = Keys::of(host);
        let done = signing::sign_anew(host, &keys, store, &whose, tell, permitted).await;
        if std::io::stderr().is_terminal() {
            eprintln!();
        }
        let done = done.map_err(places::said)?;
        view.signed.insert(builder.name.clone(), done.signed);
        view.refused.extend(done.refused);
        left = Some((
            builder,
            signing::count(host, store).await.map_err(places::said)?,
        ));
    }
    let Some((_, count)) = left else {
        anyhow::bail!(
            "no builder of {platform} that could be asked has a key; `gentoo-updater store keys init` \
             makes one"
        );
    };
    let is_known = |key: &_| {
        answers
            .asked
            .iter()
            .any(|it| it.trusted().any(|own| own == key))
    };
    view.unsigned = count.unsigned;
    view.by_others = count
        .signed
        .iter()
        .filter(|(key, _)| !is_known(*key))
        .map(|(_, number)| number)
        .sum();
    Ok(view)
}

impl SignedDocument {
    fn to_text(&self) -> String {
        let mut text = String::new();
        for (platform, view) in &self.platforms {
            for (builder, number) in &view.signed {
                let files = counted(*number, "binary file");
                text += &format!("{platform}: {files} signed by {builder}.\n");
            }
            for (path, why) in &view.refused {
                let why = output::harmless(why);
                text += &format!("{platform}: {path} could not be signed: {why}\n");
            }
            if view.unsigned > 0 {
                text += &format!(
                    "{platform}: {} without a signature; --unsigned signs such, otherwise they are built \
                     again when they are wanted.\n",
                    counted(view.unsigned, "binary file")
                );
            }
            if view.by_others > 0 {
                text += &format!(
                    "{platform}: {} signed by keys that no builder has; they are built again when they \
                     are wanted.\n",
                    counted(view.by_others, "binary file")
                );
            }
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{golden, golden_text};

    #[test]
    fn what_was_signed_and_what_was_not_is_told_of_each_store() {
        let mut document = SignedDocument::default();
        let view = SignedView {
            signed: [("b1".parse().unwrap(), 17), ("b2".parse().unwrap(), 1)].into(),
            refused: [(
                "a/b/b-1-1.gpkg.tar".parse().unwrap(),
                "InvalidSignature: GnuPG verification failed".to_owned(),
            )]
            .into(),
            unsigned: 2,
            by_others: 1,
        };
        document.platforms.insert("amd64".parse().unwrap(), view);
        let nothing = SignedView {
            signed: [("b3".parse().unwrap(), 0)].into(),
            ..SignedView::default()
        };
        document.platforms.insert("arm64".parse().unwrap(), nothing);
        golden("store_keys_sign", &document);
        golden_text("store_keys_sign.txt", &document.to_text());
    }
}
