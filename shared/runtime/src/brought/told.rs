//! What the folders of builds tell. Pure.

use std::collections::{BTreeMap, BTreeSet};

use gentoo_updater_portage::cpv::Cpv;
use gentoo_updater_portage::emerge_log::{Event, EventKind, Step};

/// Installed packages with their COUNTER.
type Counters = BTreeMap<Cpv, u64>;

/// One build.
#[derive(Debug, Default)]
struct Build {
    /// When emerge was first called, in seconds since 1970.
    begun: u64,
    /// What it began to install.
    merged: BTreeMap<Cpv, Merge>,
    /// What it has removed.
    removed: BTreeSet<Cpv>,
    before: Counters,
    /// Whether it came to its end, and told what it left.
    ended: bool,
    after: Counters,
}

/// When a package was installed, in seconds since 1970.
#[derive(Debug)]
struct Merge {
    begun: u64,
    /// Nothing where emerge was killed meanwhile.
    completed: Option<u64>,
}

/// What all builds of runs tell of some packages.
#[derive(Debug, Default)]
pub(super) struct Told {
    /// By the names of their folders.
    builds: BTreeMap<String, Build>,
    now: Counters,
    /// When what is there now was installed, in seconds since 1970.
    times: BTreeMap<Cpv, u64>,
}

impl Told {
    /// By lines of `FOLDER/emerge.log:LINE`. A line that is not understood names no package: what it
    /// is about stays on the machine, and nothing of somebody else goes for it.
    pub(super) fn by_logs(logs: &str) -> Self {
        let mut told = Self::default();
        for line in logs.lines() {
            let parts = line.split_once("/emerge.log:");
            let event = parts.and_then(|(folder, line)| Some((folder, Event::parse(line)?)));
            let Some((folder, event)) = event else {
                tracing::warn!(line, "a line of a build's log is not understood");
                continue;
            };
            let build = told.builds.entry(folder.to_owned());
            let build = build.or_insert_with(|| Build {
                begun: event.time,
                ..Build::default()
            });
            build.add(event);
        }
        told
    }

    /// Whether some build began to install it.
    pub(super) fn has_merged(&self, cpv: &Cpv) -> bool {
        let mut builds = self.builds.values();
        builds.any(|build| build.merged.contains_key(cpv))
    }

    /// Whether some build has removed it.
    pub(super) fn has_removed(&self, cpv: &Cpv) -> bool {
        self.builds
            .values()
            .any(|build| build.removed.contains(cpv))
    }

    /// Adds lines of `FOLDER/before:CPV/COUNTER:NUMBER` and their like. What VDB holds beside
    /// packages, as what is being merged, is none of them.
    pub(super) fn add_counters(&mut self, lines: &str) {
        for line in lines.lines() {
            let Some((source, rest)) = line.split_once(':') else {
                continue;
            };
            if source == "ended" {
                if let Some(build) = self.builds.get_mut(rest) {
                    build.ended = true;
                }
                continue;
            }
            let counter = rest.rsplit_once("/COUNTER:");
            let counter = counter.and_then(|(cpv, number)| {
                let number = number.trim().parse().ok()?;
                Some((cpv.parse::<Cpv>().ok()?, number))
            });
            let Some((cpv, number)) = counter else {
                continue;
            };
            let counters = match source.rsplit_once('/') {
                None if source == "merged" => Some(&mut self.times),
                None => Some(&mut self.now),
                Some((folder, list)) => self.builds.get_mut(folder).map(|build| match list {
                    "before" => &mut build.before,
                    _ => &mut build.after,
                }),
            };
            if let Some(counters) = counters {
                counters.insert(cpv, number);
            }
        }
    }

    /// The packages of which counters were added that are there now and are the builds'.
    pub(super) fn of_builds(&self) -> BTreeSet<Cpv> {
        let mut builds: Vec<&Build> = self.builds.values().collect();
        builds.sort_by_key(|build| build.begun);
        // What is the builds', with its COUNTER.
        let mut ours: BTreeMap<&Cpv, u64> = BTreeMap::new();
        for build in builds {
            for (cpv, merge) in &build.merged {
                let mut found = self.found_in_place_of(build, cpv);
                let is_of_others = found.any(|(found, number)| ours.get(found) != Some(number));
                match self.number(build, cpv, merge) {
                    Some(number) if !is_of_others => drop(ours.insert(cpv, number)),
                    _ => drop(ours.remove(cpv)),
                }
            }
        }
        ours.retain(|cpv, number| self.now.get(*cpv) == Some(number));
        ours.into_keys().cloned().collect()
    }

    /// What was there when a build began and what it has put this package in the place of: the same
    /// version, or another that is gone since.
    fn found_in_place_of<'a>(
        &'a self,
        build: &'a Build,
        cpv: &'a Cpv,
    ) -> impl Iterator<Item = (&'a Cpv, &'a u64)> {
        let left = if build.ended { &build.after } else { &self.now };
        build.before.iter().filter(move |(found, _)| {
            let is_of_name = found.category_package == cpv.category_package;
            *found == cpv || is_of_name && !left.contains_key(*found)
        })
    }

    /// The COUNTER that a package got from a build. One that was killed has told none. Its is what is
    /// there, if that was installed while the build installed it, and not by somebody afterwards.
    fn number(&self, build: &Build, cpv: &Cpv, merge: &Merge) -> Option<u64> {
        if build.ended {
            return build.after.get(cpv).copied();
        }
        // The clocks of the log and of the file system may differ by a tick.
        let span = merge.begun.saturating_sub(1)..=merge.completed?;
        let time = self.times.get(cpv)?;
        let number = self.now.get(cpv).copied();
        number.filter(|_| span.contains(time))
    }
}

impl Build {
    fn add(&mut self, event: Event) {
        match event.kind {
            EventKind::Step {
                step: Step::Merging | Step::MergingBinary,
                cpv,
                ..
            } => {
                let merge = Merge {
                    begun: event.time,
                    completed: None,
                };
                self.merged.insert(cpv, merge);
            }
            EventKind::MergeCompleted(name) => {
                if let Some(merge) = self.merged.get_mut(&name.cpv) {
                    merge.completed = Some(event.time);
                }
            }
            EventKind::UnmergeSucceeded(cpv) => drop(self.removed.insert(cpv)),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log(folder: &str, time: u64, merged: &[&str]) -> String {
        let mut text = format!("{folder}/emerge.log:{time}:  *** emerge --onlydeps\n");
        for cpv in merged {
            text.push_str(&format!(
                "{folder}/emerge.log:{time}:  >>> emerge (1 of 1) {cpv} to /\n\
                 {folder}/emerge.log:{time}:  === (1 of 1) Merging ({cpv}::/repo/x.ebuild)\n\
                 {folder}/emerge.log:{time}:  ::: completed emerge (1 of 1) {cpv} to /\n"
            ));
        }
        text
    }

    /// Builds of which counters after their end are given have ended.
    fn of_builds(logs: &str, counters: &[&str]) -> Vec<String> {
        let mut told = Told::by_logs(logs);
        for line in counters {
            if let Some((folder, _)) = line.split_once("/after:") {
                told.add_counters(&format!("ended:{folder}"));
            }
        }
        told.add_counters(&counters.join("\n"));
        let theirs = told.of_builds().into_iter();
        theirs.map(|cpv| cpv.to_string()).collect()
    }

    #[test]
    fn what_was_installed_is_told_and_what_was_packed_or_is_not_understood_is_not() {
        let told = Told::by_logs(
            "x.1/emerge.log:1700000000:  >>> emerge (1 of 2) a/tool-1 to /\n\
             x.1/emerge.log:1700000000:  === (1 of 2) Merging (a/tool-1::/repo/tool-1.ebuild)\n\
             x.1/emerge.log:1700000001:  === (2 of 2) Merging Binary (a/lib-2::/store/x)\n\
             x.1/emerge.log:1700000002:  === (1 of 1) Compiling/Packaging (a/wanted-1::/repo/x)\n\
             x.1/emerge.log:1700000003: === (1 of 1) Conjuring (a/odd-1::/repo/x)\n",
        );
        let has_merged = |name: &str| told.has_merged(&name.parse().unwrap());
        assert!(has_merged("a/tool-1") && has_merged("a/lib-2"));
        assert!(!has_merged("a/wanted-1") && !has_merged("a/odd-1"));
    }

    #[test]
    fn what_a_build_installed_is_its_own_also_where_a_later_one_installs_it_again() {
        // The folders sort otherwise than the builds came.
        let logs = log("y.1", 10, &["a/dep-1"]) + &log("x.1", 20, &["a/dep-1"]);
        let counters = [
            "y.1/after:a/dep-1/COUNTER:5",
            "x.1/before:a/dep-1/COUNTER:5",
            "x.1/after:a/dep-1/COUNTER:9",
        ];
        let now = |number: u32| {
            let now = format!("now:a/dep-1/COUNTER:{number}");
            of_builds(&logs, &[&counters[..], &[&now]].concat())
        };
        assert_eq!(now(9), ["a/dep-1"]);
        assert_eq!(now(11), [""; 0], "somebody has installed it once more");
        assert_eq!(of_builds(&logs, &counters), [""; 0], "it is gone");
    }

    #[test]
    fn what_somebody_installed_before_a_build_or_between_two_is_not_of_builds() {
        let logs = log("x.1", 10, &["a/dep-1"]) + &log("y.1", 20, &["a/dep-1"]);
        let between = [
            "x.1/after:a/dep-1/COUNTER:5",
            "y.1/before:a/dep-1/COUNTER:7",
            "y.1/after:a/dep-1/COUNTER:9",
            "now:a/dep-1/COUNTER:9",
        ];
        assert_eq!(of_builds(&logs, &between), [""; 0]);
        let logs = log("x.1", 10, &["a/dep-2"]);
        let older = "x.1/before:a/dep-1/COUNTER:5";
        let there = ["x.1/after:a/dep-2/COUNTER:9", "now:a/dep-2/COUNTER:9"];
        assert_eq!(of_builds(&logs, &there), ["a/dep-2"]);
        let replaced = [&[older], &there[..]].concat();
        assert_eq!(of_builds(&logs, &replaced), [""; 0]);
        let another_slot = [&["x.1/after:a/dep-1/COUNTER:5"], &replaced[..]].concat();
        assert_eq!(of_builds(&logs, &another_slot), ["a/dep-2"]);
    }

    #[test]
    fn what_a_build_that_was_killed_installed_is_of_builds_where_nobody_did_so_since() {
        let once = log("x.1", 10, &["a/dep-1"]);
        let counter = "now:a/dep-1/COUNTER:5";
        let at = |seconds: u32| format!("merged:a/dep-1/COUNTER:{seconds}");
        assert_eq!(of_builds(&once, &[counter, &at(10)]), ["a/dep-1"]);
        assert_eq!(
            of_builds(&once, &[counter, &at(500)]),
            [""; 0],
            "somebody has installed it once more"
        );
        assert_eq!(of_builds(&once, &[counter]), [""; 0], "nobody knows when");
        let begun = once.replace("completed", "resumed");
        assert_eq!(of_builds(&begun, &[counter, &at(10)]), [""; 0]);
        // A later build found it there, and installed it again: nobody knows whose that was.
        let twice = once.clone() + &log("x.2", 20, &["a/dep-1"]);
        let counters = [
            "x.2/before:a/dep-1/COUNTER:5",
            "x.2/after:a/dep-1/COUNTER:9",
            "now:a/dep-1/COUNTER:9",
            &at(20),
        ];
        assert_eq!(of_builds(&twice, &counters), [""; 0]);
        let replaced = ["x.1/before:a/dep-0/COUNTER:3", counter, &at(10)];
        assert_eq!(
            of_builds(&once, &replaced),
            [""; 0],
            "in the place of another's"
        );
        let merging = [
            "now:a/-MERGING-dep-1/COUNTER:5",
            "odd",
            "now:a/dep-1/COUNTER:x",
        ];
        assert_eq!(of_builds(&once, &merging), [""; 0]);
    }

    #[test]
    fn a_build_that_ended_without_a_package_has_left_none() {
        let logs = log("r/builds/x.1", 10, &["a/dep-1"]);
        let told = ["ended:r/builds/x.1", "now:a/dep-1/COUNTER:9"];
        let since = "merged:a/dep-1/COUNTER:10";
        assert_eq!(of_builds(&logs, &[told[0], told[1], since]), [""; 0]);
        assert_eq!(of_builds(&logs, &[told[1], since]), ["a/dep-1"], "killed");
    }
}
