//! How updates reach the fleet, as it is configured: the table `[rollout]`.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use super::barriers::{self, BarrierFragment};
use super::invalid::Invalid;
use super::settings::{Guest, Settings};
use crate::name::{GuestName, WaveName};
use crate::rollout::{Irreversible, Rollout, Wave, Window};

/// The wave of the guests that no wave names.
const OTHERS: &str = "others";

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RolloutFragment {
    #[serde(default)]
    waves: Vec<WaveFragment>,
    windows: Option<Vec<Window>>,
    at_once: Option<u32>,
    budget: Option<u32>,
    longest_wait_hours: Option<u64>,
    barriers: Option<Vec<BarrierFragment>>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct WaveFragment {
    name: WaveName,
    guests: Vec<GuestName>,
    soak_minutes: Option<u64>,
    at_once: Option<u32>,
    windows: Option<Vec<Window>>,
    needs_approval: Option<bool>,
}

impl Settings {
    /// How the updates of a run of these guests reach them. Waves of which it has no guest are left out.
    pub fn rollout<'a>(&self, guests: impl IntoIterator<Item = &'a GuestName>) -> Rollout {
        let guests: BTreeSet<&GuestName> = guests.into_iter().collect();
        let mut rollout = self.rollout.clone();
        for wave in &mut rollout.waves {
            wave.guests.retain(|guest| guests.contains(guest));
        }
        rollout.waves.retain(|wave| !wave.guests.is_empty());
        rollout.windows.retain(|guest, _| guests.contains(guest));
        rollout.put_back.retain(|guest| guests.contains(guest));
        if rollout.put_back.is_empty() {
            rollout.irreversible.clear();
        }
        rollout
    }
}

/// A rollout in whose waves every guest of the fleet is. Where nothing is configured it has none.
pub(super) fn check(
    fragment: &RolloutFragment,
    guests: &BTreeMap<GuestName, Guest>,
    own_windows: BTreeMap<GuestName, Vec<Window>>,
    irreversible: Vec<Irreversible>,
) -> Result<Rollout, Invalid> {
    for (key, value) in [
        ("rollout.at_once", fragment.at_once.map(u64::from)),
        ("rollout.budget", fragment.budget.map(u64::from)),
        ("rollout.longest_wait_hours", fragment.longest_wait_hours),
    ] {
        if value == Some(0) {
            let key = key.to_owned();
            return Err(Invalid::Zero { key });
        }
    }
    let windows = fragment.windows.clone().unwrap_or_default();
    let all = own_windows.values().flatten().chain(&windows);
    let of_waves = fragment
        .waves
        .iter()
        .filter_map(|wave| wave.windows.as_ref());
    for window in all.chain(of_waves.flatten()) {
        if !window.has_known_zone() {
            let (window, zone) = (window.to_string(), window.zone_name().to_owned());
            return Err(Invalid::TimeZoneUnknown { window, zone });
        }
    }
    let mut left: BTreeSet<&GuestName> = guests.keys().collect();
    let mut waves = Vec::new();
    for wave in &fragment.waves {
        let table = format!("the wave {} of [rollout]", wave.name);
        let is_taken = |other: &Wave| other.name == wave.name;
        if wave.name.as_str() == OTHERS || waves.iter().any(is_taken) {
            let wave = wave.name.clone();
            return Err(Invalid::WaveNameTaken { wave });
        }
        if wave.guests.is_empty() {
            let wave = wave.name.clone();
            return Err(Invalid::WaveEmpty { wave });
        }
        if wave.at_once == Some(0) {
            let key = format!("at_once in {table}");
            return Err(Invalid::Zero { key });
        }
        for guest in &wave.guests {
            if !left.remove(guest) {
                let (guest, is_known) = (guest.clone(), guests.contains_key(guest));
                return Err(match is_known {
                    true => Invalid::InTwoWaves { guest },
                    false => Invalid::WaveOfUnknown { table, guest },
                });
            }
        }
        waves.push(Wave {
            name: wave.name.clone(),
            guests: wave.guests.iter().cloned().collect(),
            soak_seconds: wave.soak_minutes.unwrap_or_default().saturating_mul(60),
            at_once: wave.at_once,
            windows: wave.windows.clone().unwrap_or_else(|| windows.clone()),
            needs_approval: wave.needs_approval.unwrap_or_default(),
        });
    }
    let barriers = barriers::check(fragment.barriers.clone(), !waves.is_empty())?;
    // Waves are there so that what fails in one does not reach the next.
    let budget = fragment.budget.or((!waves.is_empty()).then_some(1));
    let has_waves = !waves.is_empty() || !windows.is_empty();
    if let Ok(name) = OTHERS.parse()
        && has_waves
        && !left.is_empty()
    {
        waves.push(Wave {
            name,
            guests: left.into_iter().cloned().collect(),
            soak_seconds: 0,
            at_once: None,
            windows,
            needs_approval: false,
        });
    }
    Ok(Rollout {
        waves,
        windows: own_windows,
        at_once: fragment.at_once,
        budget,
        patience_seconds: fragment
            .longest_wait_hours
            .map(|hours| hours.saturating_mul(3600)),
        put_back: put_back(guests),
        irreversible,
        barriers,
    })
}

fn put_back(guests: &BTreeMap<GuestName, Guest>) -> BTreeSet<GuestName> {
    let put_back = guests.iter().filter(|(_, guest)| guest.rollback);
    put_back.map(|(name, _)| name.clone()).collect()
}
