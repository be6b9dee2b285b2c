//! What a build needs of a machine, memory and space, and which machines have that.
//!
//! What the operator has configured by atom is a part of the job. What was learnt from builds that
//! failed counts where nothing is configured, and never keeps a package from being built at all: it is
//! known that it was too little, and not how much would have been enough.

use std::fmt;

use gentoo_updater_portage::atom::{Atom, Candidate};
use gentoo_updater_portage::build_key::BuildKey;
use serde::{Deserialize, Serialize};

use crate::state::Registration;

/// What a build needs of its machine, in megabytes (2^20 bytes); nothing where nothing is known.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Needs {
    /// Memory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_megabytes: Option<u64>,
    /// Space where it is built.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disk_megabytes: Option<u64>,
}

/// What a machine has for builds, in megabytes (2^20 bytes).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Capacity {
    /// Memory, without swap: a build that swaps is no build.
    pub memory_megabytes: u64,
    /// Free space where it builds.
    pub disk_megabytes: u64,
}

impl Needs {
    /// Whether nothing is known.
    pub fn is_none(&self) -> bool {
        *self == Self::default()
    }

    /// The same, with what others say where this says nothing.
    #[must_use]
    pub fn or(self, others: Self) -> Self {
        Self {
            memory_megabytes: self.memory_megabytes.or(others.memory_megabytes),
            disk_megabytes: self.disk_megabytes.or(others.disk_megabytes),
        }
    }

    /// At most what a machine has.
    #[must_use]
    fn at_most(self, capacity: &Capacity) -> Self {
        let least = |need: Option<u64>, most: u64| need.map(|need| need.min(most));
        Self {
            memory_megabytes: least(self.memory_megabytes, capacity.memory_megabytes),
            disk_megabytes: least(self.disk_megabytes, capacity.disk_megabytes),
        }
    }

    /// What of it a machine does not have.
    pub fn lacking(&self, capacity: &Capacity) -> Option<Lack> {
        let lacks = |need: Option<u64>, there| need.filter(|need| *need > there);
        let lack = |kind, needs, has| Lack { kind, needs, has };
        let Capacity {
            memory_megabytes: memory,
            disk_megabytes: disk,
        } = *capacity;
        lacks(self.memory_megabytes, memory)
            .map(|needs| lack(Kind::Memory, needs, memory))
            .or_else(|| lacks(self.disk_megabytes, disk).map(|needs| lack(Kind::Disk, needs, disk)))
    }

    /// How many of a machine's slots it takes: as large a share of them as of its memory or its space.
    pub fn slots(&self, capacity: &Capacity, slots: u16) -> u16 {
        let share = |need: Option<u64>, there: u64| {
            let of_all = need.unwrap_or(0).saturating_mul(u64::from(slots));
            u16::try_from(of_all.div_ceil(there.max(1))).unwrap_or(slots)
        };
        share(self.memory_megabytes, capacity.memory_megabytes)
            .max(share(self.disk_megabytes, capacity.disk_megabytes))
            .clamp(1, slots.max(1))
    }
}

impl fmt::Display for Needs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let memory = self.memory_megabytes.map(|it| format!("{it} MB of memory"));
        let disk = self.disk_megabytes.map(|it| format!("{it} MB of space"));
        let all: Vec<String> = memory.into_iter().chain(disk).collect();
        f.write_str(&all.join(" and "))
    }
}

impl Capacity {
    /// The share that a build has of a machine, of whose slots it takes so many.
    #[must_use]
    pub fn share(&self, taken: u16, slots: u16) -> Self {
        let share = |whole: u64| whole.saturating_mul(u64::from(taken)) / u64::from(slots.max(1));
        Self {
            memory_megabytes: share(self.memory_megabytes),
            disk_megabytes: share(self.disk_megabytes),
        }
    }
}

/// What a machine has too little of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Memory.
    Memory,
    /// Space where it builds.
    Disk,
}

/// What a machine has too little of for a build, in megabytes (2^20 bytes).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lack {
    /// What.
    pub kind: Kind,
    /// How much the build needs.
    pub needs: u64,
    /// How much there is.
    pub has: u64,
}

impl fmt::Display for Lack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kind, needs, has } = self;
        match kind {
            Kind::Memory => write!(f, "it has {has} MB of memory of the {needs} MB needed"),
            Kind::Disk => write!(f, "it has {has} MB of space of the {needs} MB needed"),
        }
    }
}

/// What the operator knows of packages: the last of those atoms that match says it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Demands(pub Vec<(Atom, Needs)>);

impl Demands {
    /// What they say of a package.
    pub fn of(&self, key: &BuildKey) -> Needs {
        let needs = self.0.iter().filter(|(atom, _)| speaks_of(atom, key));
        needs.fold(Needs::default(), |before, (_, needs)| needs.or(before))
    }
}

/// Whether an atom speaks of what is to be built.
pub fn speaks_of(atom: &Atom, key: &BuildKey) -> bool {
    let use_flags = None;
    atom.matches(&Candidate {
        cpv: &key.cpv,
        slot: &key.slot,
        repository: Some(&key.repository),
        build_id: None,
        use_flags,
    })
}

/// What a failed build has taught: it had so much of a machine that has so much, and that was too
/// little. The next one gets twice as much of the same machine or, if it had all, a larger one.
#[must_use]
pub(crate) fn learnt(had: u64, whole: u64) -> u64 {
    if had < whole {
        had.saturating_mul(2).min(whole)
    } else {
        whole.saturating_add(whole / 4)
    }
}

/// What a build needs where these machines can be had: what is configured and, as far as one of them
/// has that, what was learnt. What was learnt is cut to the largest of those that have what is
/// configured.
pub(crate) fn of_build<'a>(
    configured: Needs,
    learnt: Needs,
    machines: impl Iterator<Item = &'a Capacity> + Clone,
) -> Needs {
    let all = configured.or(learnt);
    if learnt.is_none() || machines.clone().any(|it| all.lacking(it).is_none()) {
        return all;
    }
    let could = machines.filter(|it| configured.lacking(it).is_none());
    let largest = could.max_by_key(|it| (it.memory_megabytes, it.disk_megabytes));
    largest.map_or(all, |largest| configured.or(learnt.at_most(largest)))
}

/// What a worker's machine has too little of for a build. One that did not say what it has is taken to
/// have enough.
pub fn lacking(worker: &Registration, needs: &Needs) -> Option<Lack> {
    let machine = worker.machine.as_ref()?;
    needs.lacking(machine.capacity.as_ref()?)
}
