//! Which runs a package was part of, and where in the history each of them is told.
//!
//! It is a fold over the history that can be made anew at any time. Beside the state, without the runs that
//! are over, it has for each package its newest runs, and for each run the offsets between which its events
//! lie: whoever asks for one package reads the events of one run, however long the history is.

use std::collections::{BTreeMap, VecDeque};

use gentoo_updater_portage::name::CategoryPackage;
use serde::{Deserialize, Serialize};

use crate::message::{Envelope, Event};
use crate::name::RunId;
use crate::packed::{PackError, pack, unpack};
use crate::snapshot::STATE_VERSION;
use crate::state::Fleet;

/// The version of this form.
const INDEX_VERSION: u32 = 1;
/// Of how many runs it is known where they are: of more than a history keeps.
const KEPT_RUNS: usize = 20_000;
/// How many runs of a package are known, the newest.
const KEPT_OF_PACKAGE: usize = 8;

/// Which runs a package was part of.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct RunIndex {
    index_version: u32,
    state_version: u32,
    fleet: Fleet,
    /// How many runs were forgotten before the first of these.
    forgotten: u32,
    runs: VecDeque<IndexedRun>,
    /// The numbers of the newest runs of each package, counted from the first run that ever was.
    packages: BTreeMap<CategoryPackage, VecDeque<u32>>,
    #[serde(skip)]
    numbers: BTreeMap<RunId, u32>,
}

/// Where in the history a run is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct IndexedRun {
    /// The run.
    pub run: RunId,
    /// The offset of its first event.
    pub first: u64,
    /// The offset of its newest one.
    pub last: u64,
}

/// Why a kept index cannot be used. It is made anew.
#[derive(Debug, thiserror::Error)]
pub enum IndexError {
    /// It is damaged, or none.
    #[error(transparent)]
    Damaged(#[from] PackError),
    /// Another version of this program made it.
    #[error("it has version {index}.{state}, this program reads {INDEX_VERSION}.{STATE_VERSION}")]
    Version {
        /// Of its form.
        index: u32,
        /// Of the state in it.
        state: u32,
    },
}

#[derive(Deserialize)]
struct VersionOnly {
    index_version: u32,
    state_version: u32,
}

impl RunIndex {
    /// One of a history of which nothing was read.
    pub fn new() -> Self {
        Self {
            index_version: INDEX_VERSION,
            state_version: STATE_VERSION,
            ..Self::default()
        }
    }

    /// Takes an event over, in offset order.
    pub fn take(&mut self, offset: u64, envelope: &Envelope<Event>) {
        if self.fleet.offset.is_some_and(|taken| offset <= taken) {
            return;
        }
        self.fleet.apply(offset, envelope);
        let Some(run) = envelope.message.run() else {
            return;
        };
        let number = self.number(run, offset);
        match &envelope.message {
            Event::GuestScanned(event) => {
                let rows = event.updates.iter();
                self.note(number, rows.map(|row| &row.key.cpv.category_package));
            }
            Event::BatchPlanned(event) => {
                let jobs = event.batch.jobs.iter();
                self.note(number, jobs.map(|job| &job.key.cpv.category_package));
            }
            _ => {}
        }
    }

    /// Counts an event that cannot be understood.
    pub fn leave_out(&mut self, offset: u64) {
        self.fleet.leave_out(offset);
    }

    /// The state, in which runs that are over may be missing.
    pub fn fleet(&self) -> &Fleet {
        &self.fleet
    }

    /// The runs of a package, the newest first.
    pub fn runs_of(&self, package: &CategoryPackage) -> impl Iterator<Item = IndexedRun> {
        let numbers = self.packages.get(package).into_iter().flatten().rev();
        numbers.filter_map(|number| self.at(*number))
    }

    /// The packages that any run was about.
    pub fn packages(&self) -> impl Iterator<Item = &CategoryPackage> {
        self.packages.keys()
    }

    /// Where a run is told; the newest of those that are meant.
    pub fn find(&self, is_meant: impl Fn(RunId) -> bool) -> Option<IndexedRun> {
        let mut newest_first = self.runs.iter().rev();
        newest_first.find(|it| is_meant(it.run)).copied()
    }

    /// Packs it to be kept. Runs that are over are most of the state, and the history tells of them.
    ///
    /// # Errors
    /// When it cannot be serialised, which none does.
    pub fn encode(&self) -> Result<Vec<u8>, PackError> {
        let mut kept = self.clone();
        kept.fleet.runs.retain(|_, run| run.finished.is_none());
        pack(&kept)
    }

    /// Unpacks one, its version first.
    ///
    /// # Errors
    /// [`IndexError`]; it is then made anew.
    pub fn decode(packed: &[u8]) -> Result<Self, IndexError> {
        Self::from_json(&unpack(packed)?)
    }

    /// The same of its text.
    ///
    /// # Errors
    /// As [`RunIndex::decode`].
    pub fn from_json(text: impl AsRef<[u8]>) -> Result<Self, IndexError> {
        let text = text.as_ref();
        let VersionOnly {
            index_version,
            state_version,
        } = serde_json::from_slice(text).map_err(PackError::from)?;
        if (index_version, state_version) != (INDEX_VERSION, STATE_VERSION) {
            return Err(IndexError::Version {
                index: index_version,
                state: state_version,
            });
        }
        let mut index: Self = serde_json::from_slice(text).map_err(PackError::from)?;
        let numbers = index.forgotten..;
        let runs = index.runs.iter().map(|it| it.run);
        index.numbers = runs.zip(numbers).collect();
        Ok(index)
    }

    fn at(&self, number: u32) -> Option<IndexedRun> {
        let place = number.checked_sub(self.forgotten)?;
        self.runs.get(usize::try_from(place).ok()?).copied()
    }

    /// The number of a run that this event is about.
    fn number(&mut self, run: RunId, offset: u64) -> u32 {
        if let Some(number) = self.numbers.get(&run).copied() {
            let place = usize::try_from(number.saturating_sub(self.forgotten));
            if let Some(known) = place.ok().and_then(|place| self.runs.get_mut(place)) {
                known.last = offset;
            }
            return number;
        }
        let known = u32::try_from(self.runs.len()).unwrap_or(u32::MAX);
        let number = self.forgotten.saturating_add(known);
        self.runs.push_back(IndexedRun {
            run,
            first: offset,
            last: offset,
        });
        self.numbers.insert(run, number);
        if self.runs.len() > KEPT_RUNS
            && let Some(oldest) = self.runs.pop_front()
        {
            self.numbers.remove(&oldest.run);
            self.forgotten += 1;
        }
        number
    }

    fn note<'a>(&mut self, number: u32, packages: impl Iterator<Item = &'a CategoryPackage>) {
        for package in packages {
            let runs = match self.packages.get_mut(package) {
                Some(runs) => runs,
                None => self.packages.entry(package.clone()).or_default(),
            };
            // Runs may go on side by side.
            if !runs.contains(&number) {
                runs.push_back(number);
            }
            if runs.len() > KEPT_OF_PACKAGE {
                runs.pop_front();
            }
        }
    }
}
