//! What the logs of builders tell of packages that the fleet has not built.

use crate::common::*;
use gentoo_updater_fleet::describe::describe;
use gentoo_updater_fleet::message::*;
use gentoo_updater_fleet::name::BuilderName;
use gentoo_updater_fleet::state::KEPT_LEARNT;

fn builder(name: &str) -> BuilderName {
    name.parse().unwrap()
}

fn log(durations: &[(&str, u64)]) -> Durations {
    let all = durations.iter();
    all.map(|(name, duration)| (name.parse().unwrap(), *duration))
        .collect()
}

fn learned(name: &str, durations: Durations) -> Event {
    Event::DurationsLearned(DurationsLearned {
        builder: builder(name),
        durations,
    })
}

/// A history in which a job for `a/a-1` can be built.
fn planned() -> History {
    let mut history = History::requested(&["g1"]);
    history.say(Event::GuestScanned(scanned(
        "g1",
        vec![update("a/a-1")],
        vec![],
    )));
    let answer = gentoo_updater_fleet::batch::Answer {
        guest: &guest("g1"),
        platform: &platform(),
        updates: &rows([update("a/a-1")]),
    };
    let batch = gentoo_updater_fleet::batch::merge(&[answer], &Default::default());
    history.say(Event::BatchPlanned(BatchPlanned {
        run: run_id(),
        batch,
    }));
    history
}

#[test]
fn a_build_of_the_fleet_wins_over_a_log_whichever_was_told_first() {
    let told = learned("b1", log(&[("a/a", 9000), ("a/b", 7000)]));
    for log_first in [true, false] {
        let mut history = planned();
        let own = built(&history.job("a/a-1"));
        let Event::PackageBuilt(PackageBuilt { duration_ms, .. }) = own else {
            panic!("it is built");
        };
        assert_ne!(duration_ms, 9000);
        let both = if log_first {
            [told.clone(), own]
        } else {
            [own, told.clone()]
        };
        both.into_iter().for_each(|event| history.say(event));
        let known = log(&[("a/a", duration_ms), ("a/b", 7000)]);
        assert_eq!(history.fleet.durations, known, "log first: {log_first}");
        // The log of the same builder says later that it lasts longer by now.
        history.say(learned("b1", log(&[("a/a", 8000)])));
        assert_eq!(history.fleet.durations, known, "log first: {log_first}");
    }
}

#[test]
fn nothing_of_a_log_is_news_once_it_was_told() {
    let mut history = History::default();
    let whole = log(&[("a/a", 9000), ("a/b", 7000)]);
    let news = |history: &History, name: &str, log: &Durations| {
        let news = history.fleet.news_in(&builder(name), log);
        news.into_iter().collect::<Vec<_>>()
    };
    assert_eq!(history.fleet.news_in(&builder("b1"), &whole), whole);
    history.say(learned("b1", whole.clone()));
    assert_eq!(news(&history, "b1", &whole), []);

    // It has merged one anew, and another one for the first time.
    let grown = log(&[("a/a", 9000), ("a/b", 5000), ("a/c", 1000)]);
    let found = history.fleet.news_in(&builder("b1"), &grown);
    assert_eq!(found, log(&[("a/b", 5000), ("a/c", 1000)]));
    history.say(learned("b1", found));
    assert_eq!(history.fleet.durations, grown);

    // Two builders whose logs differ do not tell them in turns.
    let slower = log(&[("a/a", 90_000), ("a/d", 4000)]);
    let found = history.fleet.news_in(&builder("b2"), &slower);
    assert_eq!(found, log(&[("a/d", 4000)]));
    history.say(learned("b2", slower.clone()));
    assert_eq!(history.fleet.durations[&"a/a".parse().unwrap()], 9000);
    assert_eq!(news(&history, "b1", &grown), []);
    assert_eq!(news(&history, "b2", &slower), []);
}

#[test]
fn of_logs_without_end_so_many_packages_are_kept_and_what_is_too_much_is_no_news() {
    let mut history = planned();
    let own = built(&history.job("a/a-1"));
    history.say(own);
    let endless = |from: usize| {
        let names = (from..from + KEPT_LEARNT).map(|number| format!("b/b{number:06}"));
        names
            .map(|name| (name.parse().unwrap(), 1000))
            .collect::<Durations>()
    };
    history.say(learned("b1", endless(10)));
    assert_eq!(history.fleet.learnt_from.len(), KEPT_LEARNT);
    history.say(learned("b1", endless(0)));
    assert_eq!(history.fleet.learnt_from.len(), KEPT_LEARNT);
    assert_eq!(history.fleet.durations.len(), KEPT_LEARNT + 1);
    assert!(
        history
            .fleet
            .news_in(&builder("b1"), &endless(0))
            .is_empty()
    );
}

#[test]
fn an_event_says_how_many_packages_a_log_tells_of() {
    let text = describe(&learned("b1", log(&[("a/a", 9000), ("a/b", 7000)])));
    assert_eq!(text, "b1: its log tells how long 2 packages took to build");
}
