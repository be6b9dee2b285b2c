//! The log of a machine that built, installed and removed packages, was interrupted and killed.

use gentoo_updater_portage::emerge_log::{
    EmergeLogError, Event, EventKind, Finished, History, Merge, RunEnd, Step, Tracker,
};

const LOG: &str = include_str!("../fixtures/emerge_log/builder.log");

fn of<'a>(history: &'a History, cpv: &str) -> Vec<&'a Merge> {
    let merges = history.merges.iter();
    merges
        .filter(|merge| merge.name.cpv.to_string() == cpv)
        .collect()
}

#[test]
fn every_line_of_the_log_is_understood() {
    let history = History::parse(LOG).unwrap();
    assert_eq!(history.merges.len(), LOG.matches(" >>> emerge (").count());
    let completed = history.merges.iter().filter(|m| m.completed.is_some());
    assert_eq!(completed.count(), LOG.matches(" ::: completed").count());
    assert_eq!(history.unmerges.len(), LOG.matches("=== Unmerging").count());
    assert!(
        history
            .unmerges
            .iter()
            .all(|unmerge| matches!(unmerge.ended, Some((_, true))))
    );
    assert_eq!(history.runs.len(), LOG.matches(": Started emerge").count());
    assert!(history.clock_steps.is_empty());
}

#[test]
fn builds_that_ran_at_once_have_their_own_durations() {
    let history = History::parse(LOG).unwrap();
    let first = history.merges.iter().find(|merge| {
        merge.name.position.total == 14 && merge.name.cpv.to_string() == "app-misc/slowpoke-2.0"
    });
    let first = first.unwrap();
    assert_eq!(first.name.position.number, 9);
    assert_eq!(first.name.root, "/");
    assert_eq!(first.duration(), Some(1_795_419_606 - 1_795_419_567));
    let steps: Vec<Step> = first.steps.iter().map(|(step, _)| *step).collect();
    assert_eq!(
        steps,
        [
            Step::Cleaning,
            Step::Compiling,
            Step::Merging,
            Step::PostBuildCleaning
        ]
    );
    let slotted = &history
        .unmerges
        .iter()
        .find(|unmerge| unmerge.cpv.to_string() == "dev-libs/libalpha-1.0");
    assert_eq!(slotted.unwrap().duration(), Some(2));
}

#[test]
fn a_merge_that_failed_was_interrupted_or_killed_has_no_end() {
    let history = History::parse(LOG).unwrap();
    let failer = of(&history, "app-misc/failer-2.0");
    assert_eq!(failer.len(), 1);
    assert_eq!(failer[0].duration(), None);
    assert_eq!(failer[0].steps.last().unwrap().0, Step::Compiling);
    // Tried again by --resume with the same place in the list: the second try is the one that ended.
    let slowpoke: Vec<_> = of(&history, "app-misc/slowpoke-2.0")
        .into_iter()
        .filter(|merge| merge.name.position.total == 2)
        .map(|merge| (merge.started.unwrap(), merge.duration()))
        .collect();
    assert_eq!(slowpoke, [(1_795_420_268, Some(38)), (1_795_420_261, None)]);
    let packed = history.merges.iter().find(|merge| {
        let last = merge.steps.last();
        last.is_some_and(|(step, _)| *step == Step::Packaging)
    });
    assert_eq!(packed.unwrap().completed, None);
    let binary = history.merges.iter().find(|merge| {
        let mut steps = merge.steps.iter();
        steps.any(|(step, _)| *step == Step::MergingBinary)
    });
    assert_eq!(binary.unwrap().duration(), Some(2));
}

#[test]
fn only_what_was_compiled_and_ended_well_tells_how_long_it_was_compiled() {
    let history = History::parse(LOG).unwrap();
    let compiled = |cpv: &str, total: u32| {
        let merges = of(&history, cpv).into_iter();
        let merges = merges.filter(|merge| merge.name.position.total == total);
        let all: Vec<_> = merges.map(Merge::compiled).collect();
        all
    };
    // Without the time in which it was installed.
    let labbase = compiled("sys-apps/labbase-1.0-r1", 14);
    assert_eq!(labbase, [Some(1_795_419_577 - 1_795_419_552)]);
    assert_eq!(compiled("app-misc/failer-2.0", 5), [None]);
    for merge in &history.merges {
        let has = |step: Step| merge.steps.iter().any(|(other, _)| *other == step);
        let was_compiled = has(Step::Compiling) && merge.completed.is_some();
        assert_eq!(merge.compiled().is_some(), was_compiled, "{merge:?}");
        assert!(!(was_compiled && has(Step::MergingBinary)), "{merge:?}");
    }
    let binaries = history.merges.iter().filter(|merge| {
        let mut steps = merge.steps.iter();
        steps.any(|(step, _)| *step == Step::MergingBinary)
    });
    assert!(binaries.count() > 0, "the log has binaries");
}

#[test]
fn runs_end_in_four_ways() {
    let history = History::parse(LOG).unwrap();
    let end = |arguments: &str, started: u64| {
        let mut runs = history.runs.iter().filter(|run| {
            run.started == Some(started) && run.arguments.as_ref().unwrap().contains(arguments)
        });
        let run = runs.next().unwrap();
        (run.end, run.synchronized)
    };
    assert_eq!(
        end("@world", 1_795_419_551),
        (
            RunEnd::Exited {
                time: 1_795_419_622,
                status: 0
            },
            false
        )
    );
    assert_eq!(
        end("--keep-going", 1_795_419_656).0,
        RunEnd::Exited {
            time: 1_795_419_683,
            status: 1
        }
    );
    // SIGTERM, and a synchronization.
    assert_eq!(
        end("slowpoke", 1_795_420_223).0,
        RunEnd::Terminated {
            time: 1_795_420_251
        }
    );
    assert_eq!(
        end("--sync", 1_795_419_764),
        (
            RunEnd::Terminated {
                time: 1_795_419_764
            },
            true
        )
    );
    // SIGKILL, and nothing else.
    assert_eq!(end("slowpoke", 1_795_420_253).0, RunEnd::Unknown);
    let unknown = history.runs.iter().filter(|run| run.end == RunEnd::Unknown);
    assert_eq!(unknown.count(), 1);
}

#[test]
fn runs_that_overlap_both_end() {
    let history = History::parse(LOG).unwrap();
    let at_once: Vec<_> = history
        .runs
        .iter()
        .filter(|run| run.started == Some(1_795_419_771))
        .collect();
    assert_eq!(at_once.len(), 2);
    assert!(
        at_once
            .iter()
            .all(|run| matches!(run.end, RunEnd::Exited { status: 0, .. }))
    );
    for cpv in ["app-misc/hello-2.0", "www-servers/tinyd-2.0"] {
        let merges = of(&history, cpv);
        let mut starts = merges
            .iter()
            .filter(|merge| merge.started == Some(1_795_419_771));
        assert!(starts.next().unwrap().duration().is_some(), "{cpv}");
    }
}

#[test]
fn all_that_portage_writes_is_understood() {
    for (text, kind) in [
        (" *** Resuming merge...", EventKind::Resuming),
        (
            " *** RESTARTING emerge via exec() after change of portage version.",
            EventKind::Restarting,
        ),
        (" === regen", EventKind::Regen),
        (" === sync", EventKind::SyncStarted),
        (
            " *** exiting unsuccessfully with status '130'.",
            EventKind::Exiting(130),
        ),
        (
            " !!! unmerge FAILURE: a/b-1",
            EventKind::UnmergeFailed("a/b-1".parse().unwrap()),
        ),
        (
            "=== Sync completed for gentoo",
            EventKind::Sync("=== Sync completed for gentoo".to_owned()),
        ),
        (
            ">>> Syncing repository 'gentoo' into '/var/db/repos/gentoo'...",
            EventKind::Sync(
                ">>> Syncing repository 'gentoo' into '/var/db/repos/gentoo'...".to_owned(),
            ),
        ),
        (
            " === Resource usage for build of a/b-1: CPU: 1s",
            EventKind::Resources("Resource usage for build of a/b-1: CPU: 1s".to_owned()),
        ),
    ] {
        let event = Event::parse(&format!("5: {text}")).unwrap();
        assert_eq!(event, Event { time: 5, kind });
    }
    let fetching = " --- (1 of 2) Fetching Binary (a/b-1::/var/cache/binpkgs/a/b/b-1-3.gpkg.tar)";
    let world = " === (2 of 2) Updating world file (a/b-1)";
    for (text, expected) in [
        (fetching, Step::FetchingBinary),
        (world, Step::UpdatingWorld),
    ] {
        let event = Event::parse(&format!("5: {text}")).unwrap();
        assert!(matches!(event.kind, EventKind::Step { step, .. } if step == expected));
    }
    for text in [
        "",
        "5",
        "5:  *** terminating",
        "+5:  *** terminating.",
        "5:  >>> emerge (1 of 2) hello to /",
        "5:  >>> emerge (1 of 2) a/b-1 to ",
        "5:  >>> emerge (1 of) a/b-1 to /",
        "5:  >>> emerge (+1 of 2) a/b-1 to /",
        "5:  === (1 of 2) Polishing (a/b-1::/x)",
        "5:  === (1 of 2) Cleaning (a/b-1::/x",
        "5:  *** exiting unsuccessfully with status 'x'.",
        "5: hello",
    ] {
        assert_eq!(Event::parse(text), None, "{text}");
    }
}

#[test]
fn a_line_that_is_cut_or_garbled_is_an_error_at_its_line() {
    // A rotated log begins with any line of the log.
    let rest = &LOG[LOG.find("1795419606").unwrap()..];
    let history = History::parse(rest).unwrap();
    let slowpoke = of(&history, "app-misc/slowpoke-2.0")[0];
    assert_eq!((slowpoke.started, slowpoke.duration()), (None, None));
    assert_eq!(slowpoke.completed, Some(1_795_419_606));

    assert_eq!(
        History::parse(&LOG[10..]).unwrap_err().to_string(),
        "line 1 is not understood: \": Started emerge on: Nov 23, 2026 07:38:49\""
    );
    let lines = LOG.lines().count();
    assert_eq!(
        History::parse(&LOG[..LOG.len() - 1]),
        Err(EmergeLogError::Truncated(lines))
    );
    let mut bytes = LOG.as_bytes().to_vec();
    bytes[100] = 0xff;
    assert_eq!(History::parse(bytes), Err(EmergeLogError::NotUtf8(2)));
    assert_eq!(History::parse("").unwrap(), History::default());
}

#[test]
fn a_tail_names_its_cut_line_and_goes_on() {
    let mut tracker = Tracker::of_tail();
    assert_eq!(tracker.line(b"o 5) app-misc/hello-2.0 to /"), Ok(None));
    assert_eq!(tracker.cut_line(), Some("o 5) app-misc/hello-2.0 to /"));
    tracker.line(b"7: garbage").unwrap_err();
    let ended = tracker.line(b"7:  ::: completed emerge (1 of 1) a/b-1 to /");
    assert!(matches!(ended, Ok(Some(Finished::Merge(_)))));
    assert!(tracker.finish().is_empty());
}

#[test]
fn a_clock_that_was_set_back_is_told() {
    let log = "9:  >>> emerge (1 of 1) a/b-1 to /\n5: === Unmerging... (a/b-0)\n\
               6:  >>> unmerge success: a/b-0\n20:  ::: completed emerge (1 of 1) a/b-1 to /\n";
    let history = History::parse(log).unwrap();
    assert!(history.merges[0].clock_was_set_back);
    assert_eq!(history.merges[0].duration(), None);
    assert_eq!(history.unmerges[0].duration(), Some(1));
    let step = history.clock_steps[0];
    assert_eq!((step.line, step.from, step.to), (2, 9, 5));
}

#[test]
fn a_line_that_is_lost_loses_no_more_than_itself() {
    let whole = History::parse(LOG).unwrap();
    let lines: Vec<&str> = LOG.split_inclusive('\n').collect();
    for lost in (0..lines.len()).step_by(5) {
        let rest: String = [&lines[..lost], &lines[lost + 1..]].concat().concat();
        let history = History::parse(rest).unwrap();
        let name = lines[lost];
        assert!(history.merges.len() >= whole.merges.len() - 1, "{name}");
        assert!(history.unmerges.len() >= whole.unmerges.len() - 1, "{name}");
        assert!(history.runs.len() >= whole.runs.len() - 1, "{name}");
    }
}

proptest::proptest! {
    #[test]
    fn no_text_panics(
        lines in proptest::collection::vec(
            "[0-9]{1,3}: (Started emerge on: x| \\*\\*\\* (emerge x|terminating\\.|exiting successfully\\.)\
             | >>> emerge \\([12] of 2\\) a/b-[12] to /| ::: completed emerge \\([12] of 2\\) a/b-[12] to /\
             | === \\([12] of 2\\) Cleaning \\(a/b-[12]::x\\)|=== Unmerging\\.\\.\\. \\(a/b-1\\)\
             | >>> unmerge success: a/b-1|\\PC{0,20})",
            0..40,
        ),
    ) {
        let _ = History::parse(lines.join("\n"));
        let mut tracker = Tracker::new();
        for line in lines {
            let _ = tracker.line(line.as_bytes());
        }
        let _ = tracker.finish();
    }
}
