//! `cruft restore`.

use std::sync::Arc;

use gentoo_updater_fleet::config::Settings;
use gentoo_updater_fleet::name::{BuilderName, RunId};
use gentoo_updater_fleet::words::counted;
use gentoo_updater_janitor::cruft::archives::{self, Restoration, Restored};
use serde::Serialize;

use super::arguments::RestoreOptions;
use super::builders::{Archives, Builders};
use crate::{NotThere, WrongUsage, output};

/// The document of `cruft restore --json`.
#[derive(Debug, Serialize)]
pub(super) struct RestoreDocument {
    /// The builder.
    pub(super) builder: BuilderName,
    /// The run.
    pub(super) run: RunId,
    /// Whether this only says what would come back.
    pub(super) dry_run: bool,
    /// What came of it.
    #[serde(flatten)]
    pub(super) done: Restored,
}

/// Puts archived files back.
pub(super) async fn restore(
    settings: Arc<Settings>,
    options: RestoreOptions,
) -> anyhow::Result<u8> {
    let builders = Builders::of(&settings, options.builder.as_ref())?;
    let found = builders.archives(std::slice::from_ref(&options.run)).await;
    let (builder, run) = choose(&found)?;
    let said = |failure: gentoo_updater_fleet::message::Failure| anyhow::anyhow!("{failure}");
    let host = builders.open(&builder).await.map_err(said)?;
    let wanted = Restoration {
        run,
        paths: (!options.all).then_some(options.paths),
        force: options.force,
        dry_run: options.dry_run,
    };
    let done = archives::restore(host.as_ref(), &wanted)
        .await
        .map_err(said)?;
    let document = RestoreDocument {
        builder,
        run,
        dry_run: options.dry_run,
        done,
    };
    if options.json {
        output::print_json(&document)?;
    } else {
        let text = output::harmless(&text(&document));
        output::print(|output| output.write_all(text.as_bytes()))?;
    }
    let refusal = output::harmless(&refusal(&document.done, options.force));
    if refusal.is_empty() {
        return Ok(crate::EXIT_DONE);
    }
    eprint!("{refusal}");
    Ok(crate::EXIT_WITH_FAILURES)
}

/// The builder that has archives of the run.
pub(super) fn choose(found: &Archives) -> anyhow::Result<(BuilderName, RunId)> {
    let names: Vec<&str> = found.builders.keys().map(BuilderName::as_str).collect();
    if names.len() > 1 {
        let message = format!(
            "this run has left files on several builders: {}; choose one with --builder",
            names.join(", ")
        );
        return Err(WrongUsage(message).into());
    }
    if let Some((builder, archives)) = found.builders.first_key_value()
        && let Some(newest) = archives.last()
    {
        return Ok((builder.clone(), newest.run));
    }
    if let Some((builder, cause)) = found.failed.first_key_value() {
        anyhow::bail!(
            "no builder that can be asked has an archive of this run; {builder}: {cause}"
        );
    }
    let message = "no builder has an archive of this run: it left nothing, or that is purged; \
                   `gentoo-updater cruft list` shows what there is";
    Err(NotThere(message.to_owned()).into())
}

/// What came back, for people.
pub(super) fn text(document: &RestoreDocument) -> String {
    let restored = &document.done.restored;
    if !document.done.unknown.is_empty() || !document.done.in_the_way.is_empty() {
        return String::new();
    }
    let files = counted(restored.len(), "file");
    let words = if document.dry_run {
        "would be restored"
    } else {
        "restored"
    };
    let mut text = format!("{}: {files} {words}\n", document.builder);
    for path in restored {
        text.push_str(&format!("  {path}\n"));
    }
    text
}

/// Why nothing came back; nothing where it did.
pub(super) fn refusal(done: &Restored, force: bool) -> String {
    let mut text = String::new();
    for path in &done.unknown {
        text.push_str(&format!("{path}: in no archive of this run\n"));
    }
    for path in &done.in_the_way {
        let why = if force {
            "a folder is in its place, or no folder above it"
        } else {
            "something is there"
        };
        text.push_str(&format!("{path}: {why}\n"));
    }
    if !text.is_empty() {
        text.push_str("Nothing was restored.");
        if !done.in_the_way.is_empty() && !force {
            text.push_str(" --force lets archived files take the place of what is there.");
        }
        text.push('\n');
    }
    text
}
