//! Which of the ready jobs goes first: the one with the longest way behind it.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::message::Job;
use crate::name::JobId;

/// What a job is taken to last when nothing is known of it.
pub const UNKNOWN_DURATION: Duration = Duration::from_secs(60);

/// For each job, the time from its start to the end of the longest chain of jobs that wait for
/// it. Rings count once.
pub fn remaining_paths(
    jobs: &BTreeMap<JobId, Job>,
    duration: impl Fn(&Job) -> Duration,
) -> BTreeMap<JobId, Duration> {
    let mut dependants: BTreeMap<&JobId, Vec<&JobId>> = BTreeMap::new();
    for job in jobs.values() {
        for need in &job.build_needs {
            dependants.entry(need).or_default().push(&job.id);
        }
    }
    let mut paths = BTreeMap::new();
    let mut entered = std::collections::BTreeSet::new();
    for start in jobs.keys() {
        // Depth first without recursion, so that a long chain cannot exhaust the stack.
        let mut open = vec![(start, false)];
        while let Some((id, done)) = open.pop() {
            let Some(job) = jobs.get(id) else { continue };
            let behind = dependants.get(id).map(Vec::as_slice).unwrap_or_default();
            if done {
                let longest = behind.iter().filter_map(|id| paths.get(*id)).max().copied();
                paths.insert(id.clone(), duration(job) + longest.unwrap_or_default());
            } else if entered.insert(id) {
                open.push((id, true));
                open.extend(behind.iter().map(|id| (*id, false)));
            }
        }
    }
    paths
}
