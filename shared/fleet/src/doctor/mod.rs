//! What stands in the way of a run: the facts of configuration, broker, stores, ebuild trees and
//! machines, and the findings that follow from them. Pure.
//!
//! Whoever gathers puts what it saw into a [`Facts`]; [`diagnose`] judges. What could not be looked at is
//! a fact, too, and never a guess.

mod broker;
mod builders;
mod configuration;
mod facts;
mod guests;
mod kind;
mod machines;
mod signatures;
mod stores;
mod subject;
#[cfg(test)]
mod testing;
mod trees;

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

pub use broker::{BrokerFacts, BrokerFault, BrokerReached, Certificate, Seen, Topology, Workers};
pub use builders::program_of;
pub use configuration::ConfigurationFacts;
pub use facts::{
    Answer, BuilderFacts, Examined, Facts, IndexFacts, KeyFacts, LockFacts, MachineFacts,
    PortageFacts, RepositoryFacts, ServedFacts, SpaceFacts, StoreFacts, SurveyFacts, TrustedKey,
};
pub use kind::{Kind, table};
pub use subject::Subject;

use crate::config::Settings;

/// What belongs together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Area {
    /// The configuration.
    Configuration,
    /// The broker, and who works on it.
    Broker,
    /// The stores of binaries, and their signatures.
    Stores,
    /// The ebuild repositories.
    Trees,
    /// The machines that compile.
    Builders,
    /// The machines that are kept up to date.
    Guests,
}

impl Area {
    /// All of them, in the order in which they are shown.
    pub const ALL: [Self; 6] = [
        Self::Configuration,
        Self::Broker,
        Self::Stores,
        Self::Trees,
        Self::Builders,
        Self::Guests,
    ];

    /// As it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Configuration => "configuration",
            Self::Broker => "broker",
            Self::Stores => "stores",
            Self::Trees => "trees",
            Self::Builders => "builders",
            Self::Guests => "guests",
        }
    }
}

/// How much a finding weighs. The heaviest comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// A run fails, or leaves something out, as long as it is so.
    Error,
    /// It works for now, or not as well as it could.
    Warning,
    /// To be known.
    Note,
}

impl Severity {
    /// As it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Note => "note",
        }
    }
}

/// What mends something.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Remedy {
    /// In words.
    pub text: String,
    /// The command that does it, where there is one, to be called where the words say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command: Option<String>,
}

impl Remedy {
    /// In words alone.
    pub fn new(text: impl Into<String>) -> Self {
        let text = text.into();
        Self {
            text,
            command: None,
        }
    }

    /// By this command.
    #[must_use]
    pub fn by(mut self, command: impl Into<String>) -> Self {
        self.command = Some(command.into());
        self
    }
}

/// Something that is not as it should be, or that has to be known.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Finding {
    /// What belongs together with it.
    pub area: Area,
    /// How much it weighs.
    pub severity: Severity,
    /// What it is about.
    pub subject: Subject,
    /// What kind of thing it is.
    pub kind: Kind,
    /// What was found, in words.
    pub found: String,
    /// Why it matters.
    pub why: String,
    /// What mends it.
    pub remedy: Remedy,
}

impl Finding {
    /// A finding of this kind.
    pub fn new(kind: Kind, subject: Subject, found: impl Into<String>, remedy: Remedy) -> Self {
        Self {
            area: kind.area().unwrap_or_else(|| subject.area()),
            severity: kind.severity(),
            subject,
            kind,
            // A machine's words may have lines.
            found: found
                .into()
                .split_whitespace()
                .collect::<Vec<_>>()
                .join(" "),
            why: kind.why().to_owned(),
            remedy,
        }
    }
}

/// What was looked at, and what was found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Diagnosis {
    /// How many errors there are.
    pub errors: usize,
    /// How many warnings.
    pub warnings: usize,
    /// How many notes.
    pub notes: usize,
    /// What was found, area by area and subject by subject, the heaviest first.
    pub findings: Vec<Finding>,
    /// Everything that was looked at, whether or not something was found.
    pub checked: BTreeSet<Checked>,
    /// What of it is not good because of what was found of something else.
    #[serde(skip)]
    pub spoiled: BTreeSet<Checked>,
}

/// Something that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Checked {
    /// What it belongs to.
    pub area: Area,
    /// What it is.
    pub subject: Subject,
}

impl Diagnosis {
    fn of(settings: &Settings, findings: Findings, areas: &BTreeSet<Area>) -> Self {
        let Findings { findings, checked } = findings;
        let mut findings: Vec<Finding> = findings
            .into_iter()
            .filter(|finding| areas.contains(&finding.area))
            .collect();
        findings.sort_by(|left, right| {
            let key = |it: &Finding| (it.area, it.subject.clone(), it.severity, it.kind);
            key(left)
                .cmp(&key(right))
                .then_with(|| left.found.cmp(&right.found))
        });
        findings.dedup();
        let checked = checked.into_iter();
        let checked = checked.filter(|it| areas.contains(&it.area)).collect();
        let mut diagnosis = Self {
            spoiled: spoiled(settings, &findings, &checked),
            checked,
            findings,
            ..Self::default()
        };
        diagnosis.count();
        diagnosis
    }

    fn count(&mut self) {
        let number = |severity| {
            let of_it = self.findings.iter().filter(|it| it.severity == severity);
            of_it.count()
        };
        (self.errors, self.warnings, self.notes) = (
            number(Severity::Error),
            number(Severity::Warning),
            number(Severity::Note),
        );
    }

    /// What of it is about these subjects alone.
    #[must_use]
    pub fn about(mut self, is_meant: impl Fn(&Subject) -> bool) -> Self {
        self.findings.retain(|finding| is_meant(&finding.subject));
        self.checked.retain(|checked| is_meant(&checked.subject));
        self.count();
        self
    }

    /// What was looked at and found to be good: nothing but notes is said of it, and nothing of what it is
    /// besides.
    pub fn good(&self, area: Area) -> impl Iterator<Item = &Subject> {
        let of_area = self.checked.iter().filter(move |it| it.area == area);
        let good = of_area.filter(|it| !self.spoiled.contains(*it));
        good.map(|it| &it.subject).filter(move |subject| {
            !self.findings.iter().any(|finding| {
                finding.area == area
                    && finding.subject == **subject
                    && finding.severity != Severity::Note
            })
        })
    }
}

/// What errors of others spoil: a guest those of the builder that the same machine is, and the other way
/// round, and a platform those of its machines in the same area.
fn spoiled(
    settings: &Settings,
    findings: &[Finding],
    checked: &BTreeSet<Checked>,
) -> BTreeSet<Checked> {
    let errors = findings
        .iter()
        .filter(|finding| finding.severity == Severity::Error);
    let spoils = |finding: &Finding, it: &Checked| match &it.subject {
        Subject::Platform(name) => {
            finding.area == it.area && finding.subject.platform(settings) == Some(name)
        }
        subject => {
            let address = subject.address(settings);
            address.is_some() && finding.subject.address(settings) == address
        }
    };
    let of = |finding| checked.iter().filter(move |it| spoils(finding, it));
    errors.flat_map(of).cloned().collect()
}

/// Collects what is found.
#[derive(Debug, Default)]
struct Findings {
    findings: Vec<Finding>,
    checked: BTreeSet<Checked>,
}

impl Findings {
    fn looked_at(&mut self, area: Area, subject: &Subject) {
        let subject = subject.clone();
        self.checked.insert(Checked { area, subject });
    }

    fn add(&mut self, kind: Kind, subject: &Subject, found: impl Into<String>, remedy: Remedy) {
        let finding = Finding::new(kind, subject.clone(), found, remedy);
        self.findings.push(finding);
    }
}

/// What follows from the facts, as far as these areas go.
pub fn diagnose(settings: &Settings, facts: &Facts, areas: &BTreeSet<Area>) -> Diagnosis {
    let mut findings = Findings::default();
    if let Some(configuration) = &facts.configuration {
        configuration::judge(settings, configuration, &mut findings);
    }
    if let Some(broker) = &facts.broker {
        broker::judge(broker, facts.now, &mut findings);
    }
    machines::judge(settings, facts, &mut findings);
    guests::judge(settings, facts, &mut findings);
    builders::judge(settings, facts, &mut findings);
    trees::judge(settings, facts, &mut findings);
    stores::judge(settings, facts, &mut findings);
    signatures::judge(settings, facts, &mut findings);
    Diagnosis::of(settings, findings, areas)
}
