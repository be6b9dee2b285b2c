//! What is shown of stores: as JSON, and as text.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use gentoo_updater_fleet::message::Failure;
use gentoo_updater_fleet::name::{BuilderName, GuestName, PlatformName};
use gentoo_updater_fleet::words::{counted, size};
use gentoo_updater_janitor::distfiles::Unused;
use gentoo_updater_janitor::store::catalog::{Catalog, Total};
use gentoo_updater_janitor::store::collect::{Cause, Decision, Kept, Removal};
use gentoo_updater_janitor::store::fleet::Judgement;
use gentoo_updater_janitor::store::machine::Done;
use jiff::Timestamp;
use serde::Serialize;

use super::Wanted;
use super::sources::SourcesView;
use crate::output;

/// The document of `store status --json` and `store gc --json`.
#[derive(Debug, Default, Serialize)]
pub(super) struct StoreDocument {
    /// The stores, by platform.
    pub(super) platforms: BTreeMap<PlatformName, StoreView>,
    /// Why nothing can be said of other stores.
    pub(super) failed: BTreeMap<PlatformName, String>,
}

/// A store.
#[derive(Debug, Serialize)]
pub(super) struct StoreView {
    /// Where it lies.
    store: PathBuf,
    /// The machine on which it was looked at.
    builder: BuilderName,
    /// This program's binaries.
    binaries: Total,
    /// Binaries of others, which are never deleted.
    foreign: Total,
    /// The logs of builds.
    logs: Total,
    /// What keeps binaries there.
    kept: Kept,
    /// The binaries that may go, the oldest first.
    removals: Vec<RemovalView>,
    /// Files that nobody can use, and that may go.
    junk: Vec<String>,
    /// Records that are about no binary, and go.
    records_without_binary: usize,
    /// Records that this program cannot read.
    unreadable_records: Vec<String>,
    /// By how many bytes the store is larger than it may be afterwards.
    too_large_by: u64,
    /// Guests that could not be asked, and count with what was known of them.
    by_memory: Vec<GuestView>,
    /// Guests of which nobody knows what they have. While there is one nothing goes.
    unknown: Vec<GuestView>,
    /// The sources that each builder has fetched.
    pub(super) sources: BTreeMap<BuilderName, SourcesView>,
    /// What was deleted; absent where nothing was to be.
    pub(super) done: Option<Done>,
}

/// A binary that may go.
#[derive(Debug, Serialize)]
struct RemovalView {
    path: String,
    bytes: u64,
    /// When it was put there, in seconds since 1970.
    modified: u64,
    cause: Cause,
}

/// A guest that could not be asked.
#[derive(Debug, Serialize)]
struct GuestView {
    guest: GuestName,
    cause: String,
}

impl GuestView {
    fn all(guests: &[(GuestName, Failure)]) -> Vec<Self> {
        let view = |(guest, failure): &(GuestName, Failure)| Self {
            guest: guest.clone(),
            cause: failure.to_string(),
        };
        guests.iter().map(view).collect()
    }
}

impl StoreView {
    pub(super) fn of(
        store: &Path,
        builder: &BuilderName,
        catalog: &Catalog,
        decision: &Decision<'_>,
        judgement: &Judgement,
    ) -> Self {
        let mut binaries = Total::default();
        let orphans = catalog.orphans.iter().map(|orphan| &orphan.stored);
        for stored in catalog.ours.iter().chain(orphans) {
            binaries.add(stored.size);
        }
        let removal = |removal: &Removal<'_>| RemovalView {
            path: removal.stored.path.to_string(),
            bytes: removal.stored.size,
            modified: removal.stored.modified,
            cause: removal.cause,
        };
        Self {
            store: store.to_owned(),
            builder: builder.clone(),
            binaries,
            foreign: catalog.foreign,
            logs: catalog.logs,
            kept: decision.kept,
            removals: decision.removals.iter().map(removal).collect(),
            junk: decision.junk.iter().map(|junk| junk.path.clone()).collect(),
            records_without_binary: catalog.without_file.len(),
            unreadable_records: catalog.unreadable.clone(),
            too_large_by: decision.too_large_by,
            by_memory: GuestView::all(&judgement.by_memory),
            unknown: GuestView::all(&judgement.unknown),
            sources: BTreeMap::new(),
            done: None,
        }
    }

    /// Whether nothing goes because nobody knows what some guest has.
    pub(super) fn is_stuck(&self) -> bool {
        !self.unknown.is_empty()
    }

    /// What goes, or is gone.
    fn going(&self) -> impl Iterator<Item = &RemovalView> {
        let left = self.done.iter().flat_map(|done| &done.left);
        let left: BTreeSet<&str> = left.map(|(path, _)| path.as_str()).collect();
        let removals = self.removals.iter();
        removals.filter(move |removal| !left.contains(removal.path.as_str()))
    }

    fn removed(&self) -> Total {
        let mut total = Total::default();
        for removal in self.going() {
            total.add(removal.bytes);
        }
        total
    }
}

impl StoreDocument {
    /// A text for people.
    pub(super) fn to_text(&self, wanted: &Wanted, now: Timestamp) -> String {
        let views = self.platforms.iter();
        let texts: Vec<String> = views
            .map(|(name, view)| view.to_text(name, wanted.each, now))
            .collect();
        texts.join("\n")
    }
}

impl StoreView {
    fn to_text(&self, platform: &PlatformName, each: bool, now: Timestamp) -> String {
        let mut text = String::new();
        let store = self.store.display();
        let _ = writeln!(text, "{platform}: {store} on {}", self.builder);
        let row = |name: &str, total: Total| {
            let files = counted(total.files, "file");
            [format!("  {name}"), files, size(total.bytes)]
        };
        let mut rows = vec![
            row("installed on guests", self.kept.installed),
            row("of the last updates", self.kept.runs),
            row("of guests before them", self.kept.rollback),
            row("not old yet", self.kept.young),
        ];
        if !self.is_stuck() {
            let name = match self.done {
                Some(_) => "deleted",
                None => "needed by nobody",
            };
            rows.push(row(name, self.removed()));
        }
        rows.push(row("of others", self.foreign));
        rows.push(row("logs of builds", self.logs));
        for (builder, view) in &self.sources {
            if let SourcesView::Seen(sources) = view {
                let (files, bytes) = (sources.files, sources.bytes);
                let name = format!("sources on {builder}");
                rows.push(row(&name, Total { files, bytes }));
            }
        }
        text.push_str(&output::table(&rows));
        if each && !self.is_stuck() {
            text.push_str(&self.each(now));
        }
        self.notes(&mut text);
        text
    }

    /// Each file that goes.
    fn each(&self, now: Timestamp) -> String {
        let row = |removal: &RemovalView| {
            let cause = match removal.cause {
                Cause::Duplicate => "duplicate",
                Cause::Orphan => "orphan",
                Cause::Old => "old",
                Cause::Budget => "too much",
            };
            [
                format!("  {}", size(removal.bytes)),
                age(removal.modified, now),
                cause.to_owned(),
                removal.path.clone(),
            ]
        };
        let mut rows: Vec<[String; 4]> = self.going().map(row).collect();
        let junk = |path: &String| {
            let nothing = String::new();
            [
                "  ".to_owned(),
                nothing,
                "unusable".to_owned(),
                path.clone(),
            ]
        };
        rows.extend(self.junk.iter().map(junk));
        for (builder, view) in &self.sources {
            let SourcesView::Seen(sources) = view else {
                continue;
            };
            let row = |file: &Unused| {
                let place = sources.place.join(&file.name);
                [
                    format!("  {}", size(file.bytes)),
                    age(file.used, now),
                    "unused".to_owned(),
                    output::harmless(&format!("{builder}:{}", place.display())),
                ]
            };
            rows.extend(sources.unused.iter().map(row));
        }
        output::table(&rows)
    }

    fn notes(&self, text: &mut String) {
        if let Some(done) = &self.done {
            let _ = writeln!(
                text,
                "  Deleted {}, {} in all.",
                counted(done.binaries, "binary file"),
                size(done.bytes)
            );
            for (path, why) in &done.left {
                let left = output::harmless(&format!("{path}: {why}"));
                let _ = writeln!(
                    text,
                    "  Left as it is: {left}. `gentoo-updater store verify` tells more."
                );
            }
        }
        for (builder, view) in &self.sources {
            match view {
                SourcesView::Seen(sources) => {
                    if sources.deleted.files > 0 {
                        let files = counted(sources.deleted.files, "source");
                        let bytes = size(sources.deleted.bytes);
                        let _ = writeln!(text, "  Deleted {files} on {builder}, {bytes} in all.");
                    }
                    if let Some(why) = &sources.why {
                        let _ = writeln!(text, "  Sources on {builder} stay: {why}.");
                    }
                }
                SourcesView::Failed(cause) => {
                    let cause = output::harmless(cause);
                    let _ = writeln!(text, "  Sources on {builder} are not known: {cause}");
                }
            }
        }
        if self.records_without_binary > 0 && self.done.is_none() {
            let records = counted(self.records_without_binary as u64, "record");
            let goes = match self.records_without_binary {
                1 => "it goes",
                _ => "they go",
            };
            let _ = writeln!(text, "  {records} without a binary: {goes}, too.");
        }
        for name in &self.unreadable_records {
            let name = output::harmless(name);
            let _ = writeln!(
                text,
                "  The record {name} is damaged or of another version of this program; what it is \
                 about is left alone."
            );
        }
        if self.too_large_by > 0 {
            let _ = writeln!(
                text,
                "  Even so the store is {} larger than policy.keep_binaries_gigabytes says: the rest \
                 is needed, has just come, or is of others.",
                size(self.too_large_by)
            );
        }
        for GuestView { guest, cause } in &self.by_memory {
            let _ = writeln!(
                text,
                "  {guest} cannot be asked, and counts with what a run knew of it: {}",
                output::harmless(cause)
            );
        }
        for GuestView { guest, cause } in &self.unknown {
            let _ = writeln!(
                text,
                "  NOTHING GOES: nobody knows what {guest} has installed: {}. Ask it with \
                 `gentoo-updater scan {guest}` when it is there, or leave it out with \
                 --without {guest}",
                output::harmless(cause)
            );
        }
    }
}

fn age(modified: u64, now: Timestamp) -> String {
    let now = u64::try_from(now.as_second()).unwrap_or(0);
    let days = now.saturating_sub(modified) / (24 * 3600);
    counted(days, "day")
}
