//! What each version of Portage has to say about each case: `fixtures/versions/expected.txt`.
//!
//! The file holds sets of rows, and cases. A line of a case may apply to some versions only:
//!
//! ```text
//! set NAME                         the lines below are shared by several cases
//! case NAME                        the lines below are what a case comes to
//! lines NAME                       in a case: all lines of a set
//! [3.0.27..3.0.43] LINE            versions, both included; each end may be missing
//! ```
//!
//! Lines are those that [`describe`] makes. Their order has no meaning, because that of Portage's
//! rows has none: it differs between versions, and in some from run to run.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use gentoo_updater_portage::name::SlotAndSubslot;
use gentoo_updater_portage::plan::{FlagSet, Notice, NoticeKind, Plan, PlanError, Row};
use gentoo_updater_portage::version::Version;

/// Where what was recorded and what is expected lie.
pub(crate) fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .ancestors()
        .map(|place| place.join("shared/portage/tests/fixtures/versions"))
        .find(|place| place.is_dir())
        .expect("the fixtures are in the workspace")
}

/// Lines that hold for versions from … to …, both included.
struct Line {
    from: Option<Version>,
    to: Option<Version>,
    text: String,
}

/// The file, read.
pub(crate) struct Expectations(BTreeMap<String, Vec<Line>>);

impl Expectations {
    /// Reads the file.
    pub(crate) fn read() -> Self {
        let text = fs::read_to_string(folder().join("expected.txt")).unwrap();
        let mut sets: BTreeMap<String, Vec<String>> = BTreeMap::new();
        let mut cases: BTreeMap<String, Vec<Line>> = BTreeMap::new();
        // The set or the case that is being read.
        let (mut set, mut case) = (None, None);
        for line in text.lines().map(str::trim) {
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            if let Some(name) = line.strip_prefix("set ") {
                (set, case) = (Some(sets.entry(name.to_owned()).or_default()), None);
            } else if let Some(name) = line.strip_prefix("case ") {
                assert!(!cases.contains_key(name), "case {name} is there twice");
                (set, case) = (None, Some(cases.entry(name.to_owned()).or_default()));
            } else if let Some(set) = &mut set {
                set.push(line.to_owned());
            } else if let Some(case) = &mut case {
                case.push(Line::read(line));
            } else {
                panic!("{line:?} belongs to no set and no case");
            }
        }
        for lines in cases.values_mut() {
            *lines = std::mem::take(lines)
                .into_iter()
                .flat_map(|line| line.with_lines_of(&sets))
                .collect();
        }
        Self(cases)
    }

    /// The names of all cases.
    pub(crate) fn cases(&self) -> BTreeSet<&str> {
        self.0.keys().map(String::as_str).collect()
    }

    /// What a case comes to with a version.
    pub(crate) fn of(&self, case: &str, version: &Version) -> BTreeSet<String> {
        let lines = self
            .0
            .get(case)
            .unwrap_or_else(|| panic!("nothing is expected of {case}"));
        lines
            .iter()
            .filter(|line| line.from.as_ref().is_none_or(|from| from <= version))
            .filter(|line| line.to.as_ref().is_none_or(|to| version <= to))
            .map(|line| line.text.clone())
            .collect()
    }
}

impl Line {
    fn read(line: &str) -> Self {
        let Some((versions, text)) = line
            .strip_prefix('[')
            .and_then(|rest| rest.split_once("] "))
        else {
            return Self {
                from: None,
                to: None,
                text: line.to_owned(),
            };
        };
        let (from, to) = versions.split_once("..").unwrap_or((versions, versions));
        let version = |text: &str| (!text.is_empty()).then(|| text.parse().unwrap());
        Self {
            from: version(from),
            to: version(to),
            text: text.to_owned(),
        }
    }

    fn with_lines_of(self, sets: &BTreeMap<String, Vec<String>>) -> Vec<Self> {
        let Some(name) = self.text.strip_prefix("lines ") else {
            return vec![self];
        };
        let lines = sets
            .get(name)
            .unwrap_or_else(|| panic!("no set is called {name}"));
        lines
            .iter()
            .map(|line| Self {
                from: self.from.clone(),
                to: self.to.clone(),
                text: line.clone(),
            })
            .collect()
    }
}

/// What was read of an output: a line for each row and each block, one for the exit status, and
/// one for each kind of notice. Sizes are not in it (they change with every build), nor is whether a
/// binary is on a server.
pub(crate) fn describe(result: &Result<Plan, PlanError>) -> BTreeSet<String> {
    let plan = match result {
        Ok(plan) => plan,
        Err(PlanError::Refused { status, notices }) => {
            return with_kinds(format!("refused with status {status}"), notices);
        }
        Err(PlanError::EmptyContradicted { notices }) => {
            return with_kinds("empty, and not believed".to_owned(), notices);
        }
        Err(error) => return [format!("error: {error}")].into(),
    };
    let mut lines: BTreeSet<String> = plan.rows.iter().map(describe_row).collect();
    assert_eq!(lines.len(), plan.rows.len(), "two equal rows: {lines:#?}");
    for block in &plan.blocks {
        let by: Vec<String> = block.by.iter().map(ToString::to_string).collect();
        let solved = if block.satisfied {
            "solved"
        } else {
            "unsolved"
        };
        lines.insert(format!(
            "block {} by {}, {solved}",
            block.blocked,
            by.join(" ")
        ));
    }
    lines.extend(with_kinds(format!("status {}", plan.status), &plan.notices));
    lines
}

/// The line, and one for each kind of the notices.
fn with_kinds(line: String, notices: &[Notice]) -> BTreeSet<String> {
    let kinds = notices.iter().map(|notice| match &notice.kind {
        NoticeKind::WorldAtomWithoutEbuild { atoms } => {
            let atoms: Vec<String> = atoms.iter().map(ToString::to_string).collect();
            format!("says WorldAtomWithoutEbuild {}", atoms.join(" "))
        }
        // The name of the variant, without what it holds.
        kind => {
            let text = format!("{kind:?}");
            let name = text.split(|c: char| !c.is_alphanumeric()).next();
            format!("says {}", name.unwrap_or_default())
        }
    });
    kinds.chain([line]).collect()
}

fn describe_row(row: &Row) -> String {
    let letters = row.status.to_string().replace(['g', ' '], "");
    let mut parts = vec![format!("{:?}", row.kind).to_lowercase(), letters];
    let build_id = row.build_id.map(|id| format!(" #{id}")).unwrap_or_default();
    let repository = row.repository.as_ref().map_or("?", |name| name.as_str());
    let slot = |slot: Option<SlotAndSubslot>| slot.map_or("0".to_owned(), |slot| slot.to_string());
    parts.push(format!(
        "{}{build_id} :{} {repository}",
        row.cpv,
        slot(row.slot.clone())
    ));
    for previous in &row.previous {
        let slot = slot(previous.slot.clone());
        parts.push(format!("from {} :{slot}", previous.version));
    }
    let state = &row.use_flags;
    let flags = |sign: char, set: &FlagSet| -> Vec<String> {
        set.iter().map(|flag| format!("{sign}{flag}")).collect()
    };
    parts.extend(flags('+', &state.enabled));
    parts.extend(flags('-', &state.disabled));
    parts.extend(flags('*', &state.changed));
    parts.extend(flags('%', &state.new));
    parts.retain(|part| !part.is_empty());
    parts.join(" ")
}
