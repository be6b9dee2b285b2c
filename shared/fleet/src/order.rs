//! How long a job is taken to last: what the history says, or a guess.

use std::collections::BTreeMap;
use std::time::Duration;

use gentoo_updater_portage::name::CategoryPackage;

use crate::message::Job;
use crate::name::JobId;

/// What a job is taken to last when nothing is known of any.
pub const UNKNOWN_DURATION: Duration = Duration::from_secs(60);

/// What a package with sources of one mebibyte is taken to last when nothing is known of any, in
/// milliseconds.
const OF_ONE_MEBIBYTE: f64 = 30_000.0;
/// How build times grow with the size of sources: ten times as much lasts five times as long. Which
/// of two packages lasts longer depends on it less than on their sizes.
const GROWTH: f64 = 0.7;

/// How long a job will take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expected {
    /// As long as the newest build of the same package or, where there was none, as a builder's log
    /// tells.
    Known(Duration),
    /// Nothing is known of the package.
    Guessed(Duration),
}

impl Expected {
    /// The time itself.
    pub fn duration(self) -> Duration {
        match self {
            Self::Known(duration) | Self::Guessed(duration) => duration,
        }
    }

    /// Whether nothing is known of the package.
    pub fn is_guessed(self) -> bool {
        matches!(self, Self::Guessed(_))
    }
}

/// What the jobs of a batch are taken to last.
///
/// A package of which nothing is known is compared with those of the same batch that are known: the size of
/// its sources, where guests said what they would download, says how much longer or shorter it
/// will take. Otherwise it is taken to last as long as the middle one of all known packages.
#[derive(Debug, Clone)]
pub struct Expectations<'a> {
    known: &'a BTreeMap<CategoryPackage, u64>,
    /// Milliseconds for sources of one mebibyte.
    of_one_mebibyte: f64,
    /// Milliseconds for sources of a size that nobody said.
    of_unknown_size: u64,
}

impl<'a> Expectations<'a> {
    /// From [`Fleet::durations`](crate::state::Fleet::durations), for the jobs of a batch.
    pub fn new(known: &'a BTreeMap<CategoryPackage, u64>, jobs: &BTreeMap<JobId, Job>) -> Self {
        #[allow(clippy::cast_precision_loss)]
        let pace = |job: &Job| {
            let duration = *known.get(&job.key.cpv.category_package)? as f64;
            Some(duration / growth(job.download?))
        };
        let paces = jobs.values().filter_map(pace).collect();
        let unknown = u64::try_from(UNKNOWN_DURATION.as_millis()).unwrap_or(u64::MAX);
        Self {
            known,
            of_one_mebibyte: middle(paces, f64::total_cmp).unwrap_or(OF_ONE_MEBIBYTE),
            of_unknown_size: middle(known.values().copied().collect(), u64::cmp).unwrap_or(unknown),
        }
    }

    /// Of one job.
    pub fn of(&self, job: &Job) -> Expected {
        if let Some(known) = self.known.get(&job.key.cpv.category_package) {
            return Expected::Known(Duration::from_millis(*known));
        }
        Expected::Guessed(match job.download {
            Some(bytes) => {
                let seconds = self.of_one_mebibyte * growth(bytes) / 1000.0;
                Duration::try_from_secs_f64(seconds).unwrap_or(UNKNOWN_DURATION)
            }
            None => Duration::from_millis(self.of_unknown_size),
        })
    }
}

/// How much longer sources of so many bytes take than those of one mebibyte.
#[allow(clippy::cast_precision_loss)]
fn growth(bytes: u64) -> f64 {
    (bytes.max(1024) as f64 / (1024.0 * 1024.0)).powf(GROWTH)
}

fn middle<T: Copy>(mut of: Vec<T>, by: impl Fn(&T, &T) -> std::cmp::Ordering) -> Option<T> {
    of.sort_unstable_by(by);
    of.get(of.len() / 2).copied()
}
