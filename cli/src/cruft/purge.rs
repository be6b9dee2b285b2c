//! `cruft purge`.

use std::sync::Arc;

use gentoo_updater_fleet::config::Settings;
use gentoo_updater_fleet::words::counted;
use gentoo_updater_janitor::cruft::archives::{self, Archive, Choice};
use jiff::Timestamp;

use super::arguments::PurgeOptions;
use super::builders::{Archives, Builders};
use super::list::table;
use crate::ask::agreed;
use crate::{NotThere, output};

/// Deletes archives.
pub(super) async fn purge(settings: Arc<Settings>, options: &PurgeOptions) -> anyhow::Result<u8> {
    let builders = Builders::of(&settings, options.builder.as_ref())?;
    let now = Timestamp::now();
    let before = options.older.map(|age| now.as_second() - age.0.as_secs());
    let mut chosen = builders.archives(&options.runs).await;
    keep_older(&mut chosen, before);
    if chosen.builders.is_empty() && chosen.failed.is_empty() && !options.runs.is_empty() {
        return Err(NotThere("no builder has an archive of these runs".to_owned()).into());
    }
    if !options.dry_run && !chosen.builders.is_empty() {
        eprint!("{}", table(&chosen, now));
        let number = chosen.builders.values().map(Vec::len).sum::<usize>();
        let question = format!("Delete {} for good?", counted(number, "archive"));
        if !agreed(&question, options.yes, "use --yes if it is meant").await? {
            eprintln!("Nothing was deleted.");
            return Ok(crate::EXIT_WITH_FAILURES);
        }
        delete(&builders, &mut chosen).await;
    }
    if options.json {
        output::print_json(&chosen)?;
    } else {
        let text = text(&chosen, options.dry_run, now);
        output::print(|output| output.write_all(text.as_bytes()))?;
    }
    Ok(chosen.conclude(crate::EXIT_DONE))
}

/// Leaves those that were made before this time.
pub(super) fn keep_older(chosen: &mut Archives, before: Option<i64>) {
    let Some(before) = before else {
        return;
    };
    for archives in chosen.builders.values_mut() {
        archives.retain(|archive| archive.made < before);
    }
    chosen.builders.retain(|_, archives| !archives.is_empty());
}

/// Deletes what was chosen, and leaves in it what is gone.
async fn delete(builders: &Builders, chosen: &mut Archives) {
    for (name, wanted) in std::mem::take(&mut chosen.builders) {
        let gone = match builders.open(&name).await {
            Ok(host) => archives::purge(host.as_ref(), &choice(&wanted), false).await,
            Err(failure) => Err(failure),
        };
        match gone {
            Ok(gone) => chosen.add(name, gone),
            Err(failure) => drop(chosen.failed.insert(name, failure.message)),
        }
    }
}

/// These and no others that have come since.
fn choice(wanted: &[Archive]) -> Choice {
    Choice {
        paths: wanted.iter().map(|archive| archive.path.clone()).collect(),
        before: i64::MIN,
    }
}

/// What went, or would go.
pub(super) fn text(chosen: &Archives, dry_run: bool, now: Timestamp) -> String {
    let number = chosen.builders.values().map(Vec::len).sum::<usize>();
    let archives = counted(number, "archive");
    if dry_run {
        format!("{}{archives} would be deleted.\n", table(chosen, now))
    } else {
        format!("{archives} deleted.\n")
    }
}
