//! What a guest's document means: its updates, or why it is not to be believed.
//!
//! Nothing here reads or writes anything but its arguments.

mod updates;

use std::collections::BTreeSet;

use gentoo_updater_fleet::message::{
    Failure, FailureClass, Finding, FindingKind, Identity, InstalledPackage, SubslotBinding, Update,
};
use gentoo_updater_portage::atom::{Atom, Candidate, SlotDependency};
use gentoo_updater_portage::build_key::{Platform, PlatformError};
use gentoo_updater_portage::name::SlotAndSubslot;
use gentoo_updater_portage::plan::{self, Notice, NoticeKind};
use gentoo_updater_runtime::repositories::Repository;
use serde::Deserialize;

use self::updates::{mark_what_only_builds_need, updates};
use crate::document::{Document, FORMAT, Installed};

/// What a guest needs and has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// What machine it is.
    pub identity: Identity,
    /// What it needs, in the order of Portage's plan.
    pub updates: Vec<Update>,
    /// What it has.
    pub installed: Vec<InstalledPackage>,
    /// What an administrator should know.
    pub findings: Vec<Finding>,
}

/// What a guest sent, as a document.
///
/// # Errors
/// When it has another form.
pub(crate) fn read(value: &serde_json::Value) -> Result<Document, Failure> {
    Document::deserialize(value).map_err(|error| {
        let message = format!("the guest's answer cannot be read: {error}");
        permanent("DocumentNotUnderstood", message)
    })
}

/// What the configuration says of a guest.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Wishes {
    /// It gets what only builds need, too.
    pub build_dependencies: bool,
    /// It takes binaries whatever its own compiler flags are, `-march=native` among them.
    pub any_flags: bool,
}

/// Reads a guest's document.
///
/// # Errors
/// A [`Failure`] that names the cause, whenever the plan could be shorter than the truth: a
/// repository that is missing, a profile that is broken, a row that is not understood, a
/// conflict that Portage could not solve. An empty answer is believed only when nothing speaks
/// against it.
pub fn interpret(document: &Document, wishes: Wishes) -> Result<Answer, Failure> {
    if document.format != FORMAT {
        let found = document.format;
        let message = format!("the guest's answer has format {found}; this scanner reads {FORMAT}");
        return Err(permanent("DocumentNotUnderstood", message));
    }
    if let Some(error) = &document.error {
        let said = document
            .plan
            .as_ref()
            .map(|plan| plan.stderr.trim())
            .unwrap_or_default();
        return Err(permanent(
            "PortageBroken",
            format!("Portage cannot start: {error}\n{said}"),
        ));
    }
    check_repositories(document)?;
    check_platform(document, wishes)?;
    check_completeness(document)?;
    let output = document
        .plan
        .as_ref()
        .ok_or_else(|| permanent("DocumentNotUnderstood", "the guest sent no plan".to_owned()))?;
    let plan = plan::parse(&output.stdout, &output.stderr, output.status)
        .map_err(|error| permanent("PlanNotUnderstood", error.to_string()))?;
    let installed = installed_packages(document)?;
    let mut findings = Vec::new();
    for notice in &plan.notices {
        findings.extend(judge(notice, &installed)?);
    }
    if output.status != 0 {
        let said = output.stderr.trim();
        let message = format!(
            "emerge ended with exit code {} and these words:\n{said}",
            output.status
        );
        return Err(permanent("PlanFailed", message));
    }
    let mut updates = updates(document, &plan.rows, &mut findings)?;
    if !wishes.build_dependencies {
        mark_what_only_builds_need(document, &mut updates);
    }
    Ok(Answer {
        identity: identity(document, wishes),
        updates,
        installed,
        findings,
    })
}

fn permanent(cause: &str, message: String) -> Failure {
    Failure::new(FailureClass::Permanent, cause, message)
}

fn check_repositories(document: &Document) -> Result<(), Failure> {
    if document.repositories.is_empty() {
        let message = "the guest has no ebuild repository; see /etc/portage/repos.conf".to_owned();
        return Err(permanent("RepositoryMissing", message));
    }
    for repository in &document.repositories {
        let name = repository.name.as_deref().unwrap_or("without a name");
        if !repository.exists {
            let location = repository.location.as_deref().unwrap_or("an unknown place");
            let message = format!(
                "the ebuild repository {name} is not at {location}: mount or sync it, or take it \
                 out of /etc/portage/repos.conf"
            );
            return Err(permanent("RepositoryMissing", message));
        }
    }
    Ok(())
}

/// What is missing in the document could hide a package that a new library would break.
fn check_completeness(document: &Document) -> Result<(), Failure> {
    if document.problems.is_empty() {
        return Ok(());
    }
    let message = format!(
        "Portage on the guest cannot read all that it has: {}",
        document.problems.join("; ")
    );
    Err(permanent("DocumentIncomplete", message))
}

/// The guest's variables name a platform: `-march=native` names another machine on every machine.
fn check_platform(document: &Document, wishes: Wishes) -> Result<(), Failure> {
    // The planner compares platforms: it knows what builders are.
    let value_of = |name| document.settings.get(name).map(String::as_str);
    match Platform::from_variables(value_of, BTreeSet::new()) {
        Ok(_) => Ok(()),
        Err(PlatformError::Native { .. }) if wishes.any_flags => Ok(()),
        Err(error @ PlatformError::Native { .. }) => {
            Err(permanent("NativeCompilerFlags", error.to_string()))
        }
        Err(error) => Err(permanent("PlatformNotUnderstood", error.to_string())),
    }
}

fn identity(document: &Document, wishes: Wishes) -> Identity {
    let repositories = document.repositories.iter();
    let repositories = repositories.filter_map(Repository::at_revision);
    Identity {
        portage_version: document.portage_version.clone(),
        profile: document.profile.clone().unwrap_or_default(),
        settings: document.settings.clone(),
        repositories: repositories.collect(),
        any_flags: wishes.any_flags,
    }
}

fn installed_packages(document: &Document) -> Result<Vec<InstalledPackage>, Failure> {
    document.installed.iter().map(installed_package).collect()
}

fn installed_package(installed: &Installed) -> Result<InstalledPackage, Failure> {
    let mut bindings = Vec::new();
    for text in &installed.bindings {
        let atom: Atom = text.parse().map_err(|error| {
            let message = format!(
                "the installed {} is bound to {text:?}: {error}",
                installed.cpv
            );
            permanent("DependencyNotUnderstood", message)
        })?;
        if let Some(SlotDependency::Exact {
            slot,
            subslot: Some(subslot),
            bound: true,
        }) = atom.slot()
        {
            let slot = SlotAndSubslot {
                slot: slot.clone(),
                subslot: subslot.clone(),
            };
            bindings.push(SubslotBinding {
                package: atom.category_package().clone(),
                slot,
            });
        }
    }
    bindings.sort();
    bindings.dedup();
    Ok(InstalledPackage {
        cpv: installed.cpv.clone(),
        slot: installed.slot.clone(),
        repository: installed.repository.clone(),
        build_id: installed.build_id,
        bindings,
    })
}

/// What a notice means: something to know, or a reason not to believe the plan.
fn judge(notice: &Notice, installed: &[InstalledPackage]) -> Result<Option<Finding>, Failure> {
    let text = notice.text.trim().to_owned();
    let finding = |kind| Ok(Some(Finding::new(kind, &text)));
    match &notice.kind {
        NoticeKind::WorldAtomWithoutEbuild { atoms } => world_atoms(atoms, installed),
        NoticeKind::RepositoryMissing => Err(permanent("RepositoryMissing", text)),
        NoticeKind::ProfileBroken => Err(permanent("ProfileBroken", text)),
        NoticeKind::Masked { .. } => Err(permanent("Masked", text)),
        NoticeKind::NoEbuild { .. } => Err(permanent("NoEbuild", text)),
        NoticeKind::Autounmask { .. } => Err(permanent("ConfigurationChangeNeeded", text)),
        NoticeKind::SlotConflict { .. } => Err(permanent("SlotConflict", text)),
        NoticeKind::Circular { .. } => Err(permanent("CircularDependencies", text)),
        NoticeKind::RequiredUse { .. } => Err(permanent("RequiredUseUnsatisfied", text)),
        NoticeKind::Blocked { .. } => Err(permanent("Blocked", text)),
        NoticeKind::NewsUnread => finding(FindingKind::NewsUnread),
        NoticeKind::SkippedUpdates { .. } => finding(FindingKind::UpdateSkipped),
        NoticeKind::InstalledMasked { .. } => finding(FindingKind::InstalledMasked),
        NoticeKind::MissingDependency | NoticeKind::MissingBinary { .. } => {
            Err(permanent("DependencyMissing", text))
        }
        NoticeKind::Crash => Err(permanent("PortageBroken", text)),
        // A guest that installs binaries needs no compiler, and what a shell prints is no finding.
        NoticeKind::CompilerMissing | NoticeKind::CausesRebuilds | NoticeKind::Noise => Ok(None),
        _ => finding(FindingKind::Other),
    }
}

/// A world atom whose ebuild is gone is worth a word when the package is installed: it stays as
/// it is. When it is not installed, the guest asks for something that nobody can give, and its
/// plan is shorter than what its administrator wants.
fn world_atoms(atoms: &[Atom], installed: &[InstalledPackage]) -> Result<Option<Finding>, Failure> {
    let is_installed = |atom: &&Atom| installed.iter().any(|package| matches(atom, package));
    let (present, absent): (Vec<&Atom>, Vec<&Atom>) = atoms.iter().partition(is_installed);
    let list = |atoms: &[&Atom]| {
        atoms
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>()
            .join(" ")
    };
    if !absent.is_empty() {
        let message = format!(
            "the world file names {}, which is not installed and has no ebuild that this guest \
             accepts: add the repository that has it, or take it out with emerge --deselect",
            list(&absent)
        );
        return Err(permanent("WorldAtomWithoutEbuild", message));
    }
    if present.is_empty() {
        return Ok(None);
    }
    let text = format!(
        "no ebuild any more, stays installed as it is: {}",
        list(&present)
    );
    let kind = FindingKind::WorldAtomWithoutEbuild;
    Ok(Some(Finding::new(kind, &text)))
}

fn matches(atom: &Atom, package: &InstalledPackage) -> bool {
    atom.matches(&Candidate {
        cpv: &package.cpv,
        slot: &package.slot,
        repository: package.repository.as_ref(),
        build_id: None,
        use_flags: None,
    })
}
