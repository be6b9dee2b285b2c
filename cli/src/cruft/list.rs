//! `cruft list`.

use std::fmt::Write as _;
use std::sync::Arc;

use gentoo_updater_fleet::config::Settings;
use gentoo_updater_fleet::words::{counted, size};
use gentoo_updater_janitor::cruft::archives::{self, Archive};
use jiff::Timestamp;

use super::arguments::ListOptions;
use super::builders::{Archives, Builders};
use crate::output;
use crate::time::ago;

/// Shows archives.
pub(super) async fn list(settings: Arc<Settings>, options: &ListOptions) -> anyhow::Result<u8> {
    let builders = Builders::of(&settings, options.builder.as_ref())?;
    let runs = options.run.as_slice();
    let mut found = builders.archives(runs).await;
    if options.run.is_some() {
        with_paths(&builders, &mut found).await;
    }
    if options.json {
        output::print_json(&found)?;
    } else {
        let text = match &options.run {
            Some(_) => paths(&found),
            None => table(&found, Timestamp::now()),
        };
        output::print(|output| output.write_all(text.as_bytes()))?;
    }
    let is_missing = found.builders.is_empty() && options.run.is_some();
    if found.builders.is_empty() && found.failed.is_empty() {
        eprintln!("{}", nothing(options));
    }
    Ok(found.conclude(if is_missing {
        crate::EXIT_WITH_FAILURES
    } else {
        crate::EXIT_DONE
    }))
}

fn nothing(options: &ListOptions) -> &'static str {
    match options.run {
        Some(_) => "No builder has an archive of this run: it left nothing, or that is purged.",
        None => "No builder has an archive.",
    }
}

/// Asks for the paths in what was found.
async fn with_paths(builders: &Builders, found: &mut Archives) {
    let names: Vec<_> = found.builders.keys().cloned().collect();
    for name in names {
        let runs: std::collections::BTreeSet<_> = found.builders[&name]
            .iter()
            .map(|archive| archive.run)
            .collect();
        let mut all = Vec::new();
        for run in runs {
            let shown = match builders.open(&name).await {
                Ok(host) => archives::show(host.as_ref(), run).await,
                Err(failure) => Err(failure),
            };
            match shown {
                Ok(shown) => all.extend(shown.archives),
                Err(failure) => drop(found.failed.insert(name.clone(), failure.message)),
            }
        }
        found.builders.insert(name, all);
    }
}

/// A line for each archive, the newest first.
pub(super) fn table(found: &Archives, now: Timestamp) -> String {
    let mut all: Vec<_> = found
        .builders
        .iter()
        .flat_map(|(builder, archives)| archives.iter().map(move |one| (builder, one)))
        .collect();
    if all.is_empty() {
        return String::new();
    }
    all.sort_by_key(|(_, archive)| std::cmp::Reverse(archive.made));
    let head = ["RUN", "BUILDER", "MADE", "SIZE", "FILES", "RESTORED"].map(str::to_owned);
    let rows = all.into_iter().map(|(builder, archive)| {
        [
            archive.run.short(),
            builder.to_string(),
            made(archive, now),
            size(archive.size),
            archive.files.to_string(),
            archive.restored.to_string(),
        ]
    });
    let rows: Vec<_> = std::iter::once(head).chain(rows).collect();
    output::table(&rows)
}

fn made(archive: &Archive, now: Timestamp) -> String {
    Timestamp::from_second(archive.made).map_or_else(|_| "-".to_owned(), |then| ago(then, now))
}

/// What is in each archive.
pub(super) fn paths(found: &Archives) -> String {
    let mut text = String::new();
    for (builder, archives) in &found.builders {
        for archive in archives {
            let files = counted(archive.files, "file");
            // Writing to a String cannot fail.
            let _ = writeln!(text, "{builder}:{}: {files}", archive.path);
            let row = |one: &archives::Archived| {
                let mark = if one.restored { "restored" } else { "" };
                let bytes = if one.kind == "file" {
                    size(one.size)
                } else {
                    String::new()
                };
                [
                    format!("  {}", one.kind),
                    bytes,
                    mark.to_owned(),
                    one.path.clone(),
                ]
            };
            let rows: Vec<_> = archive.paths.iter().map(row).collect();
            text.push_str(&output::table(&rows));
        }
    }
    text
}
