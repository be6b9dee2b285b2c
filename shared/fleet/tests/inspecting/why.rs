//! Why a package was built and installed, or was not.

use gentoo_updater_fleet::inspect::{
    Had, PlanProgress, RunIndex, UnknownPackage, WhyView, package_asked,
};
use gentoo_updater_fleet::message::*;
use gentoo_updater_fleet::name::{GuestName, RunId};
use gentoo_updater_portage::atom::Atom;
use gentoo_updater_portage::name::CategoryPackage;

use crate::common::*;
use crate::{build, issue, planned};

fn why(history: &History, package: &str) -> WhyView {
    let package: Atom = package.parse().unwrap();
    let (fleet, run) = (&history.fleet, history.run());
    WhyView::of(fleet, run, &package, None, &Had::new(), history.now())
}

/// What became of the package on a guest, and what to do.
fn answer(history: &History, package: &str, guest: &str) -> (String, String, String) {
    let view = why(history, package);
    let name: GuestName = guest.parse().unwrap();
    let guest = view.guests.into_iter().find(|it| it.guest == name).unwrap();
    let answer = guest
        .answer
        .or_else(|| Some(guest.updates.into_iter().next()?.answer));
    let answer = answer.unwrap();
    (
        answer.state.to_owned(),
        answer.words,
        answer.next_step.unwrap_or_default(),
    )
}

/// Guests that want these, and whose batch is planned.
fn of(plans: &[(&str, Vec<Update>, Vec<InstalledPackage>)]) -> History {
    use gentoo_updater_fleet::batch::{Answer, merge};
    let names: Vec<&str> = plans.iter().map(|(name, _, _)| *name).collect();
    let mut history = History::requested(&names);
    let platform = platform();
    let told: Vec<_> = plans
        .iter()
        .map(|(name, updates, _)| (guest(name), rows(updates.clone())))
        .collect();
    let answers: Vec<Answer<'_>> = told
        .iter()
        .map(|(guest, updates)| Answer {
            guest,
            platform: &platform,
            updates,
        })
        .collect();
    let batch = merge(&answers, &Default::default());
    for (name, updates, had) in plans {
        let scan = scanned(name, updates.clone(), had.clone());
        history.say(Event::GuestScanned(scan));
    }
    history.say(Event::BatchPlanned(BatchPlanned {
        run: run_id(),
        batch,
    }));
    history
}

#[test]
fn the_chain_leads_from_the_plan_over_job_attempts_and_binary_to_the_guest() {
    let mut history = planned();
    let task = build(&history, "dev-libs/openssl-3.0");
    issue(&mut history, &task, 1, "build.default");
    history.claim(task, 1, "builder@b1");
    let view = why(&history, "dev-libs/openssl");
    let [job] = view.jobs.as_slice() else {
        panic!("{view:#?}");
    };
    assert!(
        matches!(&job.progress, PlanProgress::Claimed { by, .. } if by.as_str() == "builder@b1")
    );
    assert_eq!(job.wanted_by, [guest("g1")]);
    assert_eq!(job.attempts[0].queue.as_deref(), Some("build.default"));
    assert_eq!(job.attempts[0].succeeded, None);
    assert_eq!(answer(&history, "dev-libs/openssl", "g1").0, "building");

    history.seconds += 30;
    history.say(built(&history.job("dev-libs/openssl-3.0")));
    history.say(built(&history.job("net-misc/curl-8.0")));
    let view = why(&history, "dev-libs/openssl");
    let binary = view.jobs[0].binary.as_ref().unwrap();
    assert_eq!(
        (binary.build_id, binary.size, binary.reused),
        (1, 1000, false)
    );
    assert_eq!(view.jobs[0].attempts[0].succeeded, Some(true));

    history.claim(Task::Install(guest("g1")), 1, "installer@1");
    assert_eq!(answer(&history, "dev-libs/openssl", "g1").0, "installing");
    history.say(updated(vec![]));
    let view = why(&history, "dev-libs/openssl");
    let g1 = &view.guests[0];
    assert_eq!(g1.updates[0].answer.state, "installed");
    assert_eq!(g1.updates[0].job.as_ref(), Some(&view.jobs[0].job));
    assert_eq!(g1.attempts[0].succeeded, Some(true));
}

#[test]
fn it_is_told_what_pulled_a_package_in_and_which_flag_changed() {
    let mut flag = update("dev-libs/lib-1").flag("ssl", true);
    flag.change = Change::Reinstall;
    flag.switched_flags = ["ssl".parse().unwrap()].into();
    let mut new = update("dev-libs/new-1");
    new.change = Change::New;
    let mut rebuilt = update("dev-libs/user-1").bound_to("dev-libs/lib", "0/2");
    rebuilt.change = Change::Rebuild;
    let mut upgrade = update("app/big-2")
        .needs_to_run("dev-libs/new-1")
        .needs_to_build("dev-libs/lib-1");
    upgrade.previous = vec!["1".to_owned()];
    let history = of(&[("g1", vec![flag, new, rebuilt, upgrade], vec![])]);
    let because = |package: &str| {
        why(&history, package).guests[0].updates[0]
            .because
            .join("; ")
    };
    assert_eq!(
        because("dev-libs/lib"),
        "the same version with other flags; USE: ssl is on now; needed to be built by app/big-2"
    );
    assert_eq!(
        because("dev-libs/new"),
        "it was not installed; needed when it runs by app/big-2"
    );
    assert!(because("dev-libs/user").ends_with("bound to dev-libs/lib (0/2) of dev-libs/lib-1"));
    assert_eq!(because("app/big"), "a newer version than it has: 1");
}

#[test]
fn two_jobs_of_one_package_are_told_apart() {
    let with = |on| vec![update("net-misc/curl-8.0").flag("ssl", on)];
    let history = of(&[("g1", with(true), vec![]), ("g2", with(false), vec![])]);
    let view = why(&history, "net-misc/curl");
    assert_eq!(view.jobs.len(), 2);
    let [difference] = view.jobs[0].differs[0].differences.as_slice() else {
        panic!("{view:#?}");
    };
    assert_eq!(difference.what, "USE");
    let only: GuestName = guest("g2");
    let package: Atom = "net-misc/curl".parse().unwrap();
    let of_one = WhyView::of(
        &history.fleet,
        history.run(),
        &package,
        Some(&only),
        &Had::new(),
        history.now(),
    );
    assert_eq!((of_one.jobs.len(), of_one.guests.len()), (1, 1));
    assert_eq!(of_one.jobs[0].use_flags, ["-ssl"]);
    assert_eq!(
        of_one.jobs[0].differs.len(),
        1,
        "the other one is compared with all the same"
    );
}

#[test]
fn why_something_is_not_there_is_told_with_the_next_step() {
    let plan = || {
        vec![
            update("dev-libs/openssl-3.0"),
            update("net-misc/curl-8.0").needs_to_build("dev-libs/openssl-3.0"),
            update("dev-build/tool-1").only_for_builds(),
        ]
    };
    let had = vec![installed("app/old-1", "0", &[])];
    let mut history = of(&[("g1", plan(), had)]);
    let told = |history: &History, package: &str, parts: [&str; 3]| {
        let (state, words, next) = answer(history, package, "g1");
        assert_eq!(state, parts[0], "{words}");
        assert!(words.contains(parts[1]), "{words}");
        assert!(next.contains(parts[2]), "{next}");
    };
    told(
        &history,
        "app/old",
        ["up_to_date", "it has app/old-1", "--sync g1"],
    );
    told(
        &history,
        "app/none",
        [
            "not_wanted",
            "neither installed",
            "emerge --noreplace app/none",
        ],
    );
    told(
        &history,
        "dev-build/tool",
        ["build_only", "only builds need it", ""],
    );
    told(
        &history,
        "net-misc/curl",
        ["waiting", "waits for others", "gentoo-updater plan"],
    );
    history.say(Event::BuildFailed(BuildFailed {
        run: run_id(),
        job: history.job("dev-libs/openssl-3.0").id,
        attempt: 1,
        builder: Some("b1".parse().unwrap()),
        had: None,
        failure: permanent("CompileFailure"),
    }));
    told(
        &history,
        "dev-libs/openssl",
        ["failed", "its build failed: CompileFailure", "retry"],
    );
    told(
        &history,
        "net-misc/curl",
        ["held_back", "needs dev-libs/openssl-3.0, which", "retry"],
    );
    let view = why(&history, "net-misc/curl");
    assert_eq!(view.jobs[0].held_back_by, Some(cpv("dev-libs/openssl-3.0")));
    assert_eq!(
        why(&history, "dev-libs/openssl").jobs[0].attempts[0].succeeded,
        Some(false)
    );
}

#[test]
fn a_hold_a_suspect_and_a_failed_installation_are_told_with_what_ends_them() {
    let mut history = of(&[("g1", vec![update("dev-libs/openssl-3.0")], vec![])]);
    history.say(built(&history.job("dev-libs/openssl-3.0")));
    let target = HoldTarget::Package("dev-libs/openssl".parse().unwrap());
    history.say(Event::HoldRequested(HoldRequested {
        target: target.clone(),
        reason: None,
    }));
    let (state, _, next) = answer(&history, "dev-libs/openssl", "g1");
    assert_eq!(state, "held_back");
    assert!(
        next.contains("gentoo-updater approve package dev-libs/openssl"),
        "{next}"
    );
    history.say(Event::ApprovalGiven(ApprovalGiven { target }));
    history.say(Event::GuestRolledBack(GuestRolledBack {
        run: RunId::generate(),
        guest: guest("g2"),
        platform: platform(),
        packages: vec![cpv("dev-libs/openssl-3.0")],
        proven: false,
    }));
    let (state, words, next) = answer(&history, "dev-libs/openssl", "g1");
    assert_eq!(state, "held_back");
    assert!(
        words.contains("g2 got it and had to be put back"),
        "{words}"
    );
    assert!(next.contains("bisect g2"), "{next}");
    history.say(Event::InstallFailed(InstallFailed {
        run: run_id(),
        guest: guest("g1"),
        attempt: 1,
        failure: permanent("DiskTooFull"),
        begun: false,
        changes: vec![],
        held: vec![],
        findings: vec![],
        rolled_back: None,
    }));
    let (state, words, next) = answer(&history, "dev-libs/openssl", "g1");
    assert_eq!(state, "failed", "{words}");
    assert!(
        words.contains("DiskTooFull") && next.contains("make room"),
        "{words} {next}"
    );
}

#[test]
fn a_guest_that_could_not_be_asked_or_is_not_served_says_so() {
    let mut history = History::requested(&["g1"]);
    assert_eq!(answer(&history, "a/b", "g1").0, "not_asked");
    history.say(Event::ScanFailed(ScanFailed {
        run: run_id(),
        guest: guest("g1"),
        attempt: 1,
        failure: permanent("HostKeyUnknown"),
    }));
    let (state, _, next) = answer(&history, "a/b", "g1");
    assert_eq!(state, "not_asked");
    assert!(next.contains("gentoo-updater trust"), "{next}");
    let mut history = History::requested(&["g1"]);
    history.say(Event::GuestScanned(scanned(
        "g1",
        vec![update("a/b-1")],
        vec![],
    )));
    let mut batch = Batch::default();
    batch
        .unserved
        .insert(guest("g1"), permanent("PlatformUnserved"));
    history.say(Event::BatchPlanned(BatchPlanned {
        run: run_id(),
        batch,
    }));
    assert_eq!(answer(&history, "a/b", "g1").0, "not_served");
}

#[test]
fn a_package_is_named_by_atom_version_or_name_and_a_slip_is_told() {
    let known: Vec<CategoryPackage> = ["dev-libs/openssl", "dev-lang/go", "app/go"]
        .map(|name| name.parse().unwrap())
        .into();
    let asked = |text: &str| package_asked(text, known.iter());
    assert_eq!(asked("openssl").unwrap().to_string(), "dev-libs/openssl");
    assert_eq!(
        asked("dev-libs/none-1").unwrap().to_string(),
        "=dev-libs/none-1"
    );
    assert_eq!(asked(">=a/b-1").unwrap().to_string(), ">=a/b-1");
    let error = asked("go").unwrap_err();
    assert!(matches!(error, UnknownPackage::Ambiguous { .. }), "{error}");
    let error = asked("opensssl").unwrap_err().to_string();
    assert!(error.contains("did you mean dev-libs/openssl?"), "{error}");
    assert!(matches!(
        asked("a/b c").unwrap_err(),
        UnknownPackage::Malformed { .. }
    ));
}

#[test]
fn the_index_knows_the_newest_runs_of_a_package_and_where_they_are_told() {
    let mut index = RunIndex::new();
    let mut runs = Vec::new();
    let mut offset = 0;
    for number in 0..12 {
        let run = RunId::generate();
        runs.push(run);
        let mut scan = scanned("g1", vec![update("dev-libs/openssl-3.0")], vec![]);
        scan.run = run;
        if number == 0 {
            scan.updates = rows(vec![update("app/once-1")]);
        }
        let requested = match History::requested(&["g1"]).events[0].1.message.clone() {
            Event::RunRequested(event) => Event::RunRequested(RunRequested { run, ..event }),
            other => panic!("{other:?}"),
        };
        for event in [requested, Event::GuestScanned(scan)] {
            offset += 1;
            let at = History::default().now();
            index.take(offset, &Envelope::new(worker("test@1"), at, event));
        }
    }
    let of = |index: &RunIndex, name: &str| {
        let name: CategoryPackage = name.parse().unwrap();
        index.runs_of(&name).collect::<Vec<_>>()
    };
    let index = RunIndex::decode(&index.encode().unwrap()).unwrap();
    let newest = of(&index, "dev-libs/openssl");
    assert_eq!(newest.len(), 8);
    assert_eq!(
        (newest[0].run, newest[0].first, newest[0].last),
        (runs[11], 23, 24)
    );
    assert_eq!(of(&index, "app/once")[0].run, runs[0]);
    assert_eq!(of(&index, "app/never").len(), 0);
    assert_eq!(index.find(|run| run == runs[3]).unwrap().first, 7);
}
