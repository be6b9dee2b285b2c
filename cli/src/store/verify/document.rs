//! What is shown of the verification of stores: as JSON, and as text.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use gentoo_updater_fleet::name::{BuilderName, PlatformName};
use gentoo_updater_fleet::words::counted;
use gentoo_updater_janitor::store::catalog::Total;
use gentoo_updater_janitor::store::verify::{Finding, Repaired, Verified};
use serde::Serialize;

use crate::output;
use gentoo_updater_fleet::words::size;

/// The document of `store verify --json` and `store repair --json`.
#[derive(Debug, Default, Serialize)]
pub(super) struct VerifyDocument {
    /// The stores, by platform.
    pub(super) platforms: BTreeMap<PlatformName, VerifyView>,
    /// Why nothing can be said of other stores.
    pub(super) failed: BTreeMap<PlatformName, String>,
}

/// A store.
#[derive(Debug, Serialize)]
pub(super) struct VerifyView {
    /// Where it lies.
    store: PathBuf,
    /// The machine on which it was read.
    builder: BuilderName,
    /// The binaries that were read, those of others, too.
    binaries: Total,
    /// The algorithms of the digests that were compared.
    algorithms: BTreeSet<String>,
    /// How long that took.
    duration_ms: u64,
    /// What is wrong.
    findings: Vec<FindingView>,
    /// What is only to be known.
    notices: Vec<FindingView>,
    /// What was mended; absent where nothing was to be.
    repaired: Option<Repaired>,
    /// How many of the findings nothing mends; absent where nothing was mended.
    remaining: Option<usize>,
}

/// Something that was found.
#[derive(Debug, Serialize)]
struct FindingView {
    #[serde(flatten)]
    finding: Finding,
    remedy: &'static str,
}

impl VerifyView {
    pub(super) fn of(
        store: &Path,
        builder: &BuilderName,
        verified: &Verified,
        duration: Duration,
    ) -> Self {
        let view = |finding: &Finding| FindingView {
            finding: finding.clone(),
            remedy: finding.remedy(),
        };
        let (faults, others): (Vec<&Finding>, Vec<&Finding>) = verified
            .findings
            .iter()
            .partition(|finding| finding.is_fault());
        Self {
            store: store.to_owned(),
            builder: builder.clone(),
            binaries: verified.binaries,
            algorithms: verified.algorithms.clone(),
            duration_ms: u64::try_from(duration.as_millis()).unwrap_or(u64::MAX),
            findings: faults.into_iter().map(view).collect(),
            notices: others.into_iter().map(view).collect(),
            repaired: None,
            remaining: None,
        }
    }

    /// What was mended of it.
    pub(super) fn repaired(&mut self, repaired: Repaired, verified: &Verified) {
        let faults = verified
            .findings
            .iter()
            .filter(|finding| finding.is_fault());
        let for_nobody = faults.filter(|finding| !finding.is_mendable()).count();
        self.remaining = Some(for_nobody + repaired.left.len());
        self.repaired = Some(repaired);
    }

    /// Whether something is wrong, and was not mended.
    pub(super) fn has_faults(&self) -> bool {
        self.remaining.unwrap_or(self.findings.len()) > 0
    }
}

impl VerifyDocument {
    /// A text for people.
    pub(super) fn to_text(&self) -> String {
        let views = self.platforms.iter();
        let texts: Vec<String> = views.map(|(name, view)| view.to_text(name)).collect();
        texts.join("\n")
    }
}

impl VerifyView {
    fn to_text(&self, platform: &PlatformName) -> String {
        let mut text = String::new();
        let store = self.store.display();
        let _ = writeln!(text, "{platform}: {store} on {}", self.builder);
        let algorithms: Vec<&str> = self.algorithms.iter().map(String::as_str).collect();
        let compared = match algorithms.is_empty() {
            true => String::new(),
            false => format!("; compared: size, {}", algorithms.join(", ")),
        };
        let _ = writeln!(
            text,
            "  {} of {} read in {}{compared}",
            counted(self.binaries.files, "binary file"),
            size(self.binaries.bytes),
            seconds(self.duration_ms),
        );
        let all = || self.findings.iter().chain(&self.notices);
        text.push_str(&output::table(&all().map(row).collect::<Vec<_>>()));
        let mut told = BTreeSet::new();
        for FindingView { finding, remedy } in all() {
            let kind = kind(finding);
            let is_done = self.repaired.is_some() && finding.is_mendable();
            if !is_done && told.insert((kind, *remedy)) {
                let _ = writeln!(text, "  {kind}: {remedy}.");
            }
        }
        match &self.repaired {
            None if self.findings.is_empty() => text.push_str("  Nothing is wrong.\n"),
            None => {
                let findings = counted(self.findings.len() as u64, "finding");
                let _ = writeln!(
                    text,
                    "  {findings}. `gentoo-updater store repair --platform {platform}` mends what \
                     can be mended."
                );
            }
            Some(repaired) => mended(&mut text, repaired),
        }
        text
    }
}

fn row(FindingView { finding, .. }: &FindingView) -> [String; 3] {
    let (about, words) = finding.words();
    [format!("  {}", kind(finding)), about.to_owned(), words]
}

fn mended(text: &mut String, repaired: &Repaired) {
    let Repaired {
        removed,
        quarantined,
        restored,
        records,
        files,
        left,
    } = repaired;
    let parts = [
        (*removed, "spoiled binary file", "removed"),
        (
            quarantined.len() as u64,
            "foreign binary file",
            "moved away",
        ),
        (*records, "record", "removed"),
        (*restored, "record", "written anew"),
        (*files, "unusable file", "removed"),
    ];
    let parts = parts.into_iter().filter(|(number, ..)| *number > 0);
    let mut parts: Vec<String> = parts
        .map(|(number, what, how)| format!("{} {how}", counted(number, what)))
        .collect();
    if left.is_empty() {
        parts.push("the index is up to date".to_owned());
    }
    if !parts.is_empty() {
        let _ = writeln!(text, "  Mended: {}.", parts.join(", "));
    }
    for path in quarantined {
        let _ = writeln!(text, "  It lies now in {}", output::harmless(path));
    }
    for (path, why) in left {
        let line = format!("  Left as it is: {path}: {why}");
        let _ = writeln!(text, "{}", output::harmless(&line));
    }
}

/// What it is, in a word or two.
fn kind(finding: &Finding) -> &'static str {
    match finding {
        Finding::Spoiled { is_ours: true, .. } => "spoiled",
        Finding::Spoiled { is_ours: false, .. } => "spoiled, of others",
        Finding::CannotBeRead { .. } => "unread",
        Finding::IndexOutdated { .. }
        | Finding::NotIndexed { .. }
        | Finding::FileMissing { .. }
        | Finding::IndexUnusable { .. }
        | Finding::PackedIndexOutdated => "index",
        Finding::Replaced { .. }
        | Finding::RecordWithoutBinary { .. }
        | Finding::RecordUnreadable { .. }
        | Finding::RecordsShareBinary { .. } => "record",
        Finding::SigningUnfinished { .. } => "signing",
        Finding::Unusable { .. } => "unusable",
        Finding::Orphan { .. } => "orphan",
        Finding::Duplicate { .. } => "duplicate",
        Finding::Quarantined { .. } => "quarantined",
    }
}

fn seconds(milliseconds: u64) -> String {
    format!("{}.{} s", milliseconds / 1000, milliseconds % 1000 / 100)
}
