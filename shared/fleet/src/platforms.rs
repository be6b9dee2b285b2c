//! Whether a guest can run what the builders of its platform make. Pure.
//!
//! A platform in the configuration is a store, and a name. What it really is say the machines: CHOST,
//! ARCH and the options of the compilers. Portage never looks at them when it picks a binary, so a
//! guest of another kind would install, and run, what it cannot.
//!
//! One store holds binaries of one kind, so there is one [`Standard`] a platform. What a guest has
//! otherwise is weighed: what keeps binaries from running there
//! ([`Platform::clash`]) makes it a guest that nobody serves, and whatever else differs is said and
//! no more, since it compiles nothing itself.

use std::collections::BTreeMap;

use gentoo_updater_portage::build_key::{Difference, Platform};

use crate::liveness::Liveness;
use crate::message::{
    Batch, BuilderMachine, Failure, FailureClass, Finding, FindingKind, GuestScanned, Purpose, Role,
};
use crate::name::{GuestName, PlatformName, WorkerId};
use crate::state::{Fleet, Registration, Run};

/// The cause of a guest that no builder serves.
pub const PLATFORM_UNSERVED: &str = "PlatformUnserved";
/// The cause of a job that came to a builder which compiles for other machines.
pub const PLATFORM_DIFFERS: &str = "PlatformDiffers";

/// What the binaries of a platform are made for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standard {
    /// As what they are compiled.
    pub platform: Platform,
    /// Whose that is, in words: `builder fast`.
    whose: String,
    /// The builders that compile for other machines, into the same store.
    others: Vec<(String, Platform)>,
}

/// The standards of the platforms of a run's guests.
#[derive(Debug, Clone, Default)]
pub struct Standards(BTreeMap<PlatformName, Standard>);

/// Whether a platform has a builder that lives and has not said yet as what it compiles, and none
/// that has. It says so soon, or that it is unfit.
pub fn are_awaited(fleet: &Fleet, liveness: &Liveness, run: &Run) -> bool {
    let mut platforms = run.guests.values().map(|guest| &guest.platform);
    platforms.any(|platform| {
        let mut is_awaited = false;
        for (id, worker, machine) in machines(fleet) {
            let says_soon = liveness.is_alive(id)
                && worker.paused.is_none()
                && fleet.pause_of(id, worker.role).is_none();
            if machine.platform == *platform && says_soon {
                match machine.compiles_as {
                    Some(_) => return false,
                    None => is_awaited = true,
                }
            }
        }
        is_awaited
    })
}

impl Standards {
    /// Those of the builders that are known: of those that live and are fit, where any is. Where builders of
    /// one platform compile for different machines, what most of them do counts, or of equally many
    /// the first by name. Where no builder has said anything it is the guests that are asked in the
    /// same way: they share what is built for any of them.
    pub fn of(fleet: &Fleet, run: &Run, is_alive: impl Fn(&WorkerId) -> bool) -> Self {
        let mut standards = BTreeMap::new();
        for platform in run.guests.values().map(|guest| &guest.platform) {
            if standards.contains_key(platform) {
                continue;
            }
            let known = |must_live: bool| -> Vec<(String, Platform)> {
                machines(fleet)
                    .filter(|(id, worker, machine)| {
                        let works = || is_alive(id) && worker.paused.is_none();
                        machine.platform == *platform && (!must_live || works())
                    })
                    .filter_map(|(_, _, machine)| {
                        let name = format!("builder {}", machine.builder);
                        Some((name, machine.compiles_as.clone()?))
                    })
                    .collect()
            };
            let guests = || -> Vec<(String, Platform)> {
                let guests = run.guests.iter().filter(|(_, g)| g.platform == *platform);
                guests
                    .filter_map(|(name, guest)| {
                        Some((format!("guest {name}"), of_guest(guest.scan.as_ref()?)?))
                    })
                    .collect()
            };
            let machines = Some(known(true))
                .filter(|living| !living.is_empty())
                .or_else(|| Some(known(false)).filter(|known| !known.is_empty()));
            if let Some(standard) = standard(machines.unwrap_or_else(guests)) {
                standards.insert(platform.clone(), standard);
            }
        }
        Self(standards)
    }

    /// What is to be said of a guest: why nobody compiles for it, or what differs and does no harm.
    pub fn judge(&self, run: &Run, guest: &GuestName) -> Verdict {
        let known = run.guests.get(guest);
        let Some((platform, scan)) = known.and_then(|g| Some((&g.platform, g.scan.as_ref()?)))
        else {
            return Verdict::Served(None);
        };
        let (Some(standard), Some(own)) = (self.0.get(platform), of_guest(scan)) else {
            return Verdict::Served(None);
        };
        let clash = match scan.identity.any_flags {
            true => own.clash(&standard.platform.without_flags()),
            false => own.clash(&standard.platform),
        };
        if clash.is_empty() {
            let finding = standard.finding(platform, &own);
            return Verdict::Served(finding.filter(|_| !scan.identity.any_flags));
        }
        let failure = standard.failure(guest, platform, &own, &clash);
        // It is no failure of an update that nobody wants.
        match scan.updates.iter().any(|u| u.purpose == Purpose::Runtime) {
            true => Verdict::Unserved(failure),
            false => {
                let finding = Finding::new(FindingKind::PlatformDiffers, &failure.message);
                Verdict::Served(Some(finding.about(platform.as_str())))
            }
        }
    }

    /// Writes down for each job as what it is to be compiled, for whoever takes it, and of each
    /// guest what differs.
    pub fn complete(&self, run: &Run, batch: &mut Batch) {
        for job in &mut batch.jobs {
            let standard = self.0.get(&job.platform);
            job.compiled_as = standard.map(|standard| standard.platform.clone());
        }
        for name in run.guests.keys() {
            match (self.judge(run, name), batch.guests.get_mut(name)) {
                (Verdict::Served(Some(finding)), Some(plan)) => plan.findings.push(finding),
                (Verdict::Unserved(failure), _) => {
                    batch.unserved.insert(name.clone(), failure);
                }
                _ => {}
            }
        }
    }
}

impl Standard {
    /// Why a guest can use none of the binaries.
    fn failure(
        &self,
        guest: &GuestName,
        platform: &PlatformName,
        own: &Platform,
        clash: &[Difference],
    ) -> Failure {
        let mut others = self.others.iter();
        let remedy = match others.find(|(_, other)| own.clash(other).is_empty()) {
            Some((other, _)) => format!(
                "{other} compiles for it, but into the same store: give the two a platform of \
                 their own, with a store of its own"
            ),
            None => format!(
                "where the machines are alike make make.conf equal on both, else give {guest} a \
                 platform with a builder of its kind; where only compiler flags differ and the \
                 binaries run there, guests.{guest}.any_flags = true takes them as they are"
            ),
        };
        let message = format!(
            "no builder of platform {platform} compiles for this guest: it has {} of {}, and \
             binaries may not run on it; {remedy}",
            words(clash),
            self.whose
        );
        Failure::new(FailureClass::Permanent, PLATFORM_UNSERVED, message)
    }

    /// What else a guest has otherwise than those who compile for it.
    fn finding(&self, platform: &PlatformName, own: &Platform) -> Option<Finding> {
        let differences = own.difference(&self.platform);
        let text = format!(
            "its binaries are compiled otherwise than it would do itself: {} of {}",
            words(&differences),
            self.whose
        );
        let finding = Finding::new(FindingKind::PlatformDiffers, &text);
        (!differences.is_empty()).then(|| finding.about(platform.as_str()))
    }
}

/// What a comparison says of a guest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It can use the binaries of its platform; what differs all the same.
    Served(Option<Finding>),
    /// It cannot.
    Unserved(Failure),
}

/// Whether a builder may compile a job: it must compile as the guests of the job do, whatever it
/// was when the batch was planned.
///
/// # Errors
/// A failure that names what differs. Another builder may be of the right kind.
pub fn check_builder(own: &Platform, builder: &str, wanted: &Platform) -> Result<(), Failure> {
    let clash = own.clash(wanted);
    if clash.is_empty() {
        return Ok(());
    }
    let message = format!(
        "builder {builder} compiles for other machines than its guests are: it has {}, of them; \
         make make.conf equal on both, or give the builder a platform of its own",
        words(&clash)
    );
    let class = FailureClass::Machine;
    Err(Failure::new(class, PLATFORM_DIFFERS, message))
}

fn machines(fleet: &Fleet) -> impl Iterator<Item = (&WorkerId, &Registration, &BuilderMachine)> {
    let builders = fleet
        .workers
        .iter()
        .filter(|(_, w)| w.role == Role::Builder);
    builders.filter_map(|(id, worker)| Some((id, worker, worker.machine.as_ref()?)))
}

/// What a guest is; without its flags where these are not to count, `-march=native` among them.
fn of_guest(scan: &GuestScanned) -> Option<Platform> {
    let settings = &scan.identity.settings;
    let counts = |name: &&str| !(scan.identity.any_flags && name.ends_with("FLAGS"));
    let value_of = |name: &str| {
        let value = settings.get(name).map(String::as_str);
        value.filter(|_| counts(&name))
    };
    // A guest whose variables name no platform was refused when it was scanned.
    Platform::from_variables(value_of, [].into()).ok()
}

/// The kind that most are of, with the names of two of them.
fn standard(machines: Vec<(String, Platform)>) -> Option<Standard> {
    let mut kinds: Vec<Vec<(String, Platform)>> = Vec::new();
    for machine in machines {
        let is_of = |kind: &&mut Vec<(String, Platform)>| {
            kind.first()
                .is_some_and(|(_, first)| first.clash(&machine.1).is_empty())
        };
        match kinds.iter_mut().find(is_of) {
            Some(kind) => kind.push(machine),
            None => kinds.push(vec![machine]),
        }
    }
    // Of several maxima, `max_by_key` gives the last one.
    let most = (0..kinds.len())
        .rev()
        .max_by_key(|place| kinds[*place].len())?;
    let kind = kinds.remove(most);
    let (whose, platform) = kind.into_iter().next()?;
    Some(Standard {
        platform,
        whose,
        others: kinds.into_iter().flatten().collect(),
    })
}

fn words(differences: &[Difference]) -> String {
    let words: Vec<String> = differences.iter().map(ToString::to_string).collect();
    words.join("; ")
}
