//! What the stores hold need not be built.

use std::collections::BTreeSet;

use super::Decision;
use crate::message::{Command, SearchStore, Task, Wanted};
use crate::name::PlatformName;

impl<'f> Decision<'_, 'f> {
    /// Each store is looked through once for all that the run wants of it, before anything is built
    /// for its platform. Gives the platforms for which that is over; where it could not be done
    /// whoever is to build something looks for it itself.
    pub(super) fn search(&mut self) -> BTreeSet<&'f PlatformName> {
        let run = self.run;
        let jobs = || run.jobs.iter().flat_map(|jobs| jobs.values());
        let mut searched = BTreeSet::new();
        for platform in run.platforms() {
            let task = Task::Search(platform.clone());
            if !run.tasks.contains_key(&task) && self.is_collected_by_another(platform) {
                continue;
            }
            let is_over = self.ensure(task, |attempt| {
                let wanted = jobs().filter(|job| job.platform == *platform).map(|job| {
                    let wanted = Wanted {
                        key: job.key.as_ref().clone(),
                        compiled_as: job.compiled_as.clone(),
                    };
                    (job.id.clone(), wanted)
                });
                Command::SearchStore(SearchStore {
                    run: run.id,
                    attempt,
                    platform: platform.clone(),
                    wanted: wanted.collect(),
                })
            });
            if is_over {
                searched.insert(platform);
            }
        }
        searched
    }
}
