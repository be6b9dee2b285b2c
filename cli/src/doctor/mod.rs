//! `doctor`: whether everything is there that a run depends on, and what mends what is not.
//!
//! What is seen is gathered here; what follows from it says `fleet::doctor`.

mod arguments;
mod broker;
mod configuration;
mod gather;
mod machines;
mod text;

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use gentoo_updater_fleet::config::Settings;
use gentoo_updater_fleet::doctor::{Area, Subject, diagnose};

use crate::WrongUsage;
use crate::output;
use gather::Scope;

pub(crate) use arguments::DoctorOptions;

/// Looks, and says what was found.
pub(crate) async fn doctor(
    settings: Arc<Settings>,
    path: &Path,
    options: &DoctorOptions,
) -> anyhow::Result<u8> {
    let areas = options.areas();
    let named = named(&settings, &options.machines)?;
    let scope = Scope {
        subjects: wanted(&settings, &areas, &named),
        areas: areas.clone(),
        limit: Duration::from_secs(options.timeout),
    };
    let facts = gather::gather(&settings, path, scope).await;
    let mut diagnosis = diagnose(&settings, &facts, &areas);
    if !named.is_empty() {
        diagnosis = diagnosis.about(|subject| named.contains(subject));
    }
    if options.json {
        output::print_json(&diagnosis)?;
    } else {
        let text = output::harmless(&text::text(&diagnosis));
        output::print(|output| output.write_all(text.as_bytes()))?;
    }
    Ok(match diagnosis.errors {
        0 => crate::EXIT_DONE,
        _ => crate::EXIT_WITH_FAILURES,
    })
}

/// The machines of the configuration that have these names. A name may be that of a builder and of a guest.
fn named(settings: &Settings, names: &[String]) -> anyhow::Result<BTreeSet<Subject>> {
    let mut subjects = BTreeSet::new();
    for name in names {
        let all = all(settings);
        let before = subjects.len();
        subjects.extend(all.into_iter().filter(|subject| subject.name() == name));
        if subjects.len() == before {
            let known = self::all(settings);
            let known: BTreeSet<&str> = known.iter().map(Subject::name).collect();
            let known: Vec<&str> = known.into_iter().collect();
            let message = format!(
                "the configuration names no guest or builder {name}; it names {}",
                known.join(", ")
            );
            return Err(WrongUsage(message).into());
        }
    }
    Ok(subjects)
}

fn all(settings: &Settings) -> BTreeSet<Subject> {
    let builders = settings.builders.keys().cloned().map(Subject::Builder);
    let guests = settings.guests.keys().cloned().map(Subject::Guest);
    builders.chain(guests).collect()
}

/// The machines that have to be asked. What a guest has is compared with what its builders have.
fn wanted(
    settings: &Settings,
    areas: &BTreeSet<Area>,
    named: &BTreeSet<Subject>,
) -> BTreeSet<Subject> {
    let of_machines = [Area::Stores, Area::Trees, Area::Builders, Area::Guests];
    if !of_machines.iter().any(|area| areas.contains(area)) {
        return BTreeSet::new();
    }
    let mut all = all(settings);
    if areas.iter().all(|area| *area == Area::Builders) {
        all.retain(|subject| matches!(subject, Subject::Builder(_)));
    }
    if !named.is_empty() {
        let platforms: BTreeSet<_> = named.iter().map(|it| it.platform(settings)).collect();
        all.retain(|subject| {
            let compares = matches!(subject, Subject::Builder(_));
            named.contains(subject) || compares && platforms.contains(&subject.platform(settings))
        });
    }
    all
}
