//! What a guest's document means: its updates, or why it is not to be believed.
//!
//! Nothing here reads or writes anything but its arguments.

use std::collections::{BTreeMap, BTreeSet};

use gentoo_updater_fleet::message::{
    Change, Failure, FailureClass, Finding, FindingKind, Identity, InstalledPackage, Purpose,
    SubslotBinding, Update,
};
use gentoo_updater_portage::atom::{Atom, Candidate, SlotDependency};
use gentoo_updater_portage::build_key::{BuildKey, Platform, PlatformError};
use gentoo_updater_portage::cpv::Cpv;
use gentoo_updater_portage::name::{RepositoryName, SlotAndSubslot, UseFlag};
use gentoo_updater_portage::plan::{self, Notice, NoticeKind, Row, RowKind};
use gentoo_updater_runtime::repositories::Repository;
use serde::Deserialize;

use crate::document::{Document, FORMAT, Installed, Metadata};
use crate::needs::{Present, needs_of};

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

fn updates(
    document: &Document,
    rows: &[Row],
    findings: &mut Vec<Finding>,
) -> Result<Vec<Update>, Failure> {
    let mut planned: Vec<Planned<'_>> = Vec::new();
    for row in rows {
        match row.kind {
            RowKind::Ebuild => planned.push(Planned::of(row, document)?),
            RowKind::NoMerge => {}
            RowKind::Uninstall => {
                let text = format!("Portage will remove {}, which blocks an update", row.cpv);
                findings.push(Finding::new(FindingKind::Other, &text));
            }
            RowKind::Binary => {
                let message = format!("{} is a binary in a plan that was made of ebuilds", row.cpv);
                return Err(permanent("PlanNotUnderstood", message));
            }
        }
    }
    let present = after_the_update(document, &planned);
    let mut updates = Vec::new();
    for planned in &planned {
        let Planned { row, metadata, .. } = planned;
        let needs = needs_of(&row.cpv, metadata, &present)?;
        // The plan shows what it was made with; hidden flags are known to Portage's API alone.
        let flag_state = |flag: &UseFlag| {
            let is_on = row.use_flags.enabled.contains(flag)
                || (!row.use_flags.disabled.contains(flag) && metadata.enabled.contains(flag));
            (flag.clone(), is_on)
        };
        let key = BuildKey {
            cpv: row.cpv.clone(),
            slot: planned.slot.clone(),
            repository: planned.repository.clone(),
            ebuild_digest: metadata.ebuild_digest.clone(),
            use_flags: metadata.iuse.iter().map(flag_state).collect(),
            bindings: needs.bindings,
            environment_digest: metadata.environment_digest.clone(),
            kernel: document.kernel.clone().filter(|_| metadata.builds_modules),
        };
        updates.push(Update {
            key,
            change: change_of(row),
            previous: row
                .previous
                .iter()
                .map(|previous| previous.version.to_string())
                .collect(),
            purpose: Purpose::Runtime,
            build_needs: needs.build,
            runtime_needs: needs.runtime,
            accepts: needs.accepts,
            download: row.size_bytes.filter(|bytes| *bytes > 0),
        });
    }
    Ok(updates)
}

/// A row of the plan, with all that a build key needs.
struct Planned<'a> {
    row: &'a Row,
    slot: &'a SlotAndSubslot,
    repository: &'a RepositoryName,
    metadata: &'a Metadata,
}

impl<'a> Planned<'a> {
    fn of(row: &'a Row, document: &'a Document) -> Result<Self, Failure> {
        let (Some(slot), Some(repository)) = (&row.slot, &row.repository) else {
            let message = format!(
                "the plan does not say of which slot or repository {} is: Portage says so since \
                 2.2.16, unless it runs with --quiet-repo-display or does not know the repository",
                row.cpv
            );
            return Err(permanent("PlanNotUnderstood", message));
        };
        let name = format!("{}::{repository}", row.cpv);
        let metadata = document.metadata.get(&name).ok_or_else(|| {
            let message = format!("the guest knows no metadata of {name}");
            permanent("MetadataMissing", message)
        })?;
        Ok(Self {
            row,
            slot,
            repository,
            metadata,
        })
    }
}

/// The packages that the guest will have: what is planned, and what is installed and not
/// replaced by it.
fn after_the_update<'a>(document: &'a Document, planned: &[Planned<'a>]) -> Vec<Present<'a>> {
    let replaced: BTreeSet<_> = planned
        .iter()
        .map(|planned| (&planned.row.cpv.category_package, &planned.slot.slot))
        .collect();
    let new = planned.iter().map(|planned| Present {
        cpv: &planned.row.cpv,
        slot: planned.slot,
        repository: Some(planned.repository),
        is_planned: true,
    });
    let stays = document
        .installed
        .iter()
        .filter(|old| !replaced.contains(&(&old.cpv.category_package, &old.slot.slot)))
        .map(|old| Present {
            cpv: &old.cpv,
            slot: &old.slot,
            repository: old.repository.as_ref(),
            is_planned: false,
        });
    new.chain(stays).collect()
}

fn change_of(row: &Row) -> Change {
    let status = &row.status;
    if status.downgrade {
        Change::Downgrade
    } else if status.upgrade {
        Change::Upgrade
    } else if status.new_slot {
        Change::NewSlot
    } else if status.new {
        Change::New
    } else if status.rebuild {
        Change::Rebuild
    } else {
        Change::Reinstall
    }
}

/// A new package that only the DEPEND or BDEPEND of others reaches is no business of a guest
/// that installs binaries.
fn mark_what_only_builds_need(document: &Document, updates: &mut [Update]) {
    let world: Vec<Result<Atom, _>> = document.world.iter().map(|text| text.parse()).collect();
    // A set that Portage did not resolve, say: nobody can tell what it wants, so all is wanted.
    if world.iter().any(Result::is_err) {
        return;
    }
    let is_wanted = |update: &Update| {
        world.iter().flatten().any(|atom| {
            atom.matches(&Candidate {
                cpv: &update.key.cpv,
                slot: &update.key.slot,
                repository: Some(&update.key.repository),
                build_id: None,
                use_flags: None,
            })
        })
    };
    let needed_by_builds: BTreeSet<Cpv> = updates
        .iter()
        .flat_map(|update| update.build_needs.iter().cloned())
        .collect();
    let is_suspect = |update: &Update| {
        matches!(update.change, Change::New | Change::NewSlot)
            && needed_by_builds.contains(&update.key.cpv)
            && !is_wanted(update)
    };
    let runtime_needs: BTreeMap<Cpv, BTreeSet<Cpv>> = updates
        .iter()
        .map(|update| (update.key.cpv.clone(), update.runtime_needs.clone()))
        .collect();
    let mut kept: BTreeSet<Cpv> = BTreeSet::new();
    let mut open: Vec<Cpv> = updates
        .iter()
        .filter(|update| !is_suspect(update))
        .map(|update| update.key.cpv.clone())
        .collect();
    while let Some(cpv) = open.pop() {
        if kept.insert(cpv.clone()) {
            open.extend(runtime_needs.get(&cpv).into_iter().flatten().cloned());
        }
    }
    for update in updates {
        if !kept.contains(&update.key.cpv) {
            update.purpose = Purpose::BuildOnly;
        }
    }
}
