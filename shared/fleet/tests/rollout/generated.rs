//! Generated policies on generated fleets: what was allowed is looked at from what happened alone, and
//! every run comes to an end.
//!
//! `ROLLOUT_POLICIES` says how many are tried (40; `make test-long` tries 10,000), `ROLLOUT_SEED` tries one alone and prints it.

use std::collections::{BTreeMap, BTreeSet};
use std::iter::Peekable;

use gentoo_updater_fleet::message::*;
use gentoo_updater_fleet::name::{GuestName, RunId};
use gentoo_updater_fleet::report::{GuestOutcome, guest_outcome};
use gentoo_updater_fleet::rollout::{Barrier, Rollout, Wave, Window};
use gentoo_updater_fleet::state::Run;
use jiff::{SignedDuration, Timestamp};

use crate::common::{guest, run_id, update};
use crate::scene::{Fate, Happened, Scene};

const HOUR: i64 = 3600;
const DAY: i64 = 24 * HOUR;
const GUESTS: u64 = 2000;

/// Numbers that follow from a seed (SplitMix64).
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % limit
    }

    fn one_of<T: Copy>(&mut self, all: &[T]) -> T {
        let place = self.below(u64::try_from(all.len()).unwrap());
        all[usize::try_from(place).unwrap()]
    }

    fn in_hundred(&mut self, of: u64) -> bool {
        self.below(100) < of
    }
}

fn windows(dice: &mut Dice) -> Vec<Window> {
    let texts = [
        "22:00-06:00 Europe/Berlin",
        "Mon-Fri 01:00-05:00 America/New_York",
        "Sat,Sun 00:00-24:00 Asia/Kathmandu",
        "Wed 02:30-03:30 Australia/Lord_Howe",
        "12:00-12:30",
    ];
    let number = dice.below(3);
    (0..number)
        .map(|_| dice.one_of(&texts).parse().unwrap())
        .collect()
}

/// Waves of all sizes, down to a single guest.
fn generated_waves(dice: &mut Dice, names: &[GuestName]) -> Vec<Wave> {
    let mut waves = Vec::new();
    let (mut left, number) = (names, 1 + dice.below(6));
    for place in 0..number {
        let rest = u64::try_from(left.len()).unwrap();
        let size = if place + 1 == number {
            rest
        } else {
            1 + dice.below(1 + rest / 4)
        };
        let (own, others) = left.split_at(usize::try_from(size.min(rest)).unwrap());
        left = others;
        waves.push(Wave {
            name: format!("wave{place}").parse().unwrap(),
            guests: own.iter().cloned().collect(),
            soak_seconds: dice.one_of(&[0, 60, 3600, 86_400]),
            at_once: dice
                .one_of(&[None, Some(1), Some(20), Some(300)])
                .filter(|it| *it > 1 || size < 50),
            windows: if dice.in_hundred(30) {
                windows(dice)
            } else {
                Vec::new()
            },
            needs_approval: dice.in_hundred(15),
        });
    }
    waves.retain(|wave| !wave.guests.is_empty());
    waves
}

fn rollout(dice: &mut Dice, names: &[GuestName]) -> Rollout {
    let mut rollout = Rollout {
        waves: generated_waves(dice, names),
        windows: BTreeMap::new(),
        at_once: dice.one_of(&[None, Some(50), Some(200), Some(1000)]),
        budget: dice.one_of(&[None, Some(1), Some(2), Some(20), Some(300)]),
        patience_seconds: dice.one_of(&[None, Some(7200), Some(172_800)]),
        barriers: match dice.in_hundred(30) {
            true => vec![Barrier::Version(vec!["a/a".parse().unwrap()])],
            false => Vec::new(),
        },
        ..Rollout::default()
    };
    for _ in 0..dice.below(4) {
        let name = names[usize::try_from(dice.below(names.len() as u64)).unwrap()].clone();
        rollout.windows.insert(name, windows(dice));
    }
    rollout
}

fn targets(dice: &mut Dice, rollout: &Rollout, names: &[GuestName]) -> HoldTarget {
    match dice.below(4) {
        0 => HoldTarget::Run(run_id()),
        1 => HoldTarget::Guest(
            names[usize::try_from(dice.below(names.len() as u64)).unwrap()].clone(),
        ),
        _ => {
            let place = usize::try_from(dice.below(rollout.waves.len() as u64)).unwrap();
            HoldTarget::Wave(rollout.waves[place].name.clone())
        }
    }
}

/// Both packages, or one of them.
fn wanted(dice: &mut Dice) -> Vec<Update> {
    let all = [&["a/a-2"][..], &["b/b-2"], &["a/a-2", "b/b-2"]];
    dice.one_of(&all).iter().map(|name| update(name)).collect()
}

/// What operators did, and when.
type Said = Vec<(Timestamp, Event)>;

fn play(seed: u64, number: u64) -> (Scene, Rollout, Said) {
    let mut dice = Dice(seed);
    let names: Vec<GuestName> = (0..number)
        .map(|number| guest(&format!("g{number:04}")))
        .collect();
    let rollout = rollout(&mut dice, &names);
    let plans: BTreeMap<_, _> = names
        .iter()
        .map(|name| (name.clone(), (wanted(&mut dice), Vec::new())))
        .collect();
    let mut scene = Scene::with_plans(rollout.clone(), plans, &[]);
    let bad = dice.one_of(&[0, 1, 5, 60]);
    for name in &names {
        let fate = match dice.below(200) {
            roll if roll < bad => Fate::Fails,
            roll if roll < bad + 4 => Fate::Vanished,
            roll if roll < bad + 14 => Fate::Late(i64::try_from(dice.below(800)).unwrap()),
            roll if roll < bad + 20 => Fate::Recovers,
            _ => Fate::Well,
        };
        scene.fates.insert(name.clone(), fate);
    }
    let mut said = Said::new();
    let mut say = |seconds: i64, event: Event| {
        let at = scene.now().checked_add(SignedDuration::from_secs(seconds));
        said.push((at.unwrap(), event.clone()));
        scene.say_in(seconds, event);
    };
    for _ in 0..dice.below(5) {
        let target = targets(&mut dice, &rollout, &names);
        let begin = i64::try_from(dice.below(20 * 3600)).unwrap();
        let (held, reason) = (target.clone(), None);
        say(
            begin,
            Event::HoldRequested(HoldRequested {
                target: held,
                reason,
            }),
        );
        if dice.in_hundred(80) {
            let end = begin + i64::try_from(dice.below(40 * 3600)).unwrap();
            say(end, Event::ApprovalGiven(ApprovalGiven { target }));
        }
    }
    for wave in rollout.waves.iter().filter(|wave| wave.needs_approval) {
        if dice.in_hundred(80) {
            let seconds = i64::try_from(dice.below(100 * 3600)).unwrap();
            let target = HoldTarget::Wave(wave.name.clone());
            say(seconds, Event::ApprovalGiven(ApprovalGiven { target }));
        }
    }
    said.sort_by_key(|(at, _)| *at);
    scene.pass(200 * DAY, DAY);
    (scene, rollout, said)
}

/// What is held, and what was approved, at one time.
#[derive(Default)]
struct Known {
    held: BTreeSet<HoldTarget>,
    approved: BTreeSet<HoldTarget>,
}

impl Known {
    fn take(&mut self, event: &Event) {
        match event {
            Event::HoldRequested(it) => drop(self.held.insert(it.target.clone())),
            Event::ApprovalGiven(it) => {
                self.held.remove(&it.target);
                self.approved.insert(it.target.clone());
            }
            _ => {}
        }
    }

    fn approves(&self, wave: &Wave) -> bool {
        let of_wave = HoldTarget::Wave(wave.name.clone());
        !wave.needs_approval
            || self.approved.contains(&of_wave)
            || self.approved.contains(&HoldTarget::Run(run_id()))
    }
}

/// Looks at what happened, one after the other, with no help of what decided it.
fn check(seed: u64, scene: &Scene, rollout: &Rollout, said: &Said) {
    let (mut known, mut failed) = (Known::default(), 0);
    let mut said = said.iter().peekable();
    for round in scene.history.fleet.runs.keys() {
        let far = (&mut known, &mut failed);
        check_round(seed, scene, rollout, *round, far, &mut said);
    }
    check_barriers(seed, scene, rollout);
    check_end(seed, scene, rollout);
}

fn check_round<'a>(
    seed: u64,
    scene: &Scene,
    rollout: &Rollout,
    round: RunId,
    (known, failed): (&mut Known, &mut u32),
    said: &mut Peekable<impl Iterator<Item = &'a (Timestamp, Event)>>,
) {
    let place = |name: &GuestName| {
        let found = rollout
            .waves
            .iter()
            .position(|wave| wave.guests.contains(name));
        found.unwrap()
    };
    let places: BTreeMap<&GuestName, usize> =
        scene.fates.keys().map(|name| (name, place(name))).collect();
    let mut under_way: BTreeSet<&GuestName> = BTreeSet::new();
    let mut dead = BTreeSet::new();
    let mut last_end: Vec<Option<Timestamp>> = vec![None; rollout.waves.len()];
    let mut highest = 0;
    let fails = |name: &GuestName| scene.fates[name] == Fate::Fails;
    for (_, at, happened) in scene.log.iter().filter(|(of, ..)| *of == round) {
        while let Some((_, event)) = said.next_if(|(when, _)| when <= at) {
            known.take(event);
        }
        let place = match happened {
            // It is worked on until its second attempt is over.
            Happened::Ended(name) if scene.fates[name] == Fate::Recovers && dead.insert(name) => {
                continue;
            }
            Happened::Begun(name) if dead.contains(name) => continue,
            Happened::Ended(name) => {
                if under_way.remove(name) {
                    *failed += u32::from(fails(name));
                    last_end[places[name]] = Some(*at);
                }
                continue;
            }
            Happened::Begun(name) => {
                assert!(
                    under_way.insert(name),
                    "{seed}: {name} is begun twice at once"
                );
                places[name]
            }
        };
        let (Happened::Begun(name) | Happened::Ended(name)) = happened;
        let wave = &rollout.waves[place];
        // What is late was begun when its command was issued, as far as the planner can know.
        let is_late = matches!(scene.fates[name], Fate::Late(_));
        let windows = rollout.windows.get(name).unwrap_or(&wave.windows);
        let is_open = windows.is_empty() || windows.iter().any(|it| it.open_until(*at).is_some());
        assert!(is_open, "{seed}: {name} at {at}, outside of {windows:?}");
        let own = under_way
            .iter()
            .filter(|name| places[**name] == place)
            .count();
        for (most, there) in [(rollout.at_once, under_way.len()), (wave.at_once, own)] {
            let most = most.map_or(usize::MAX, |most| most as usize);
            assert!(
                there <= most,
                "{seed}: {there} at once at {at}, {most} may be"
            );
        }
        if !is_late {
            let is_spent = rollout.budget.is_some_and(|budget| *failed >= budget);
            assert!(!is_spent, "{seed}: {name} is begun after {failed} failed");
            assert!(
                known.approves(wave),
                "{seed}: {name} is begun, and nobody approved"
            );
            let held = [
                HoldTarget::Guest(name.clone()),
                HoldTarget::Wave(wave.name.clone()),
                HoldTarget::Run(round),
            ];
            let held = held.iter().find(|target| known.held.contains(target));
            assert_eq!(held, None, "{seed}: {name} is begun at {at}");
        }
        // Nobody of an earlier wave is begun later, and the wave before has soaked.
        assert!(
            place >= highest || is_late,
            "{seed}: {name} is begun after a later wave"
        );
        highest = highest.max(place);
        if place > 0 {
            let others = under_way.iter().filter(|it| places[**it] < place);
            assert_eq!(
                others.count(),
                0,
                "{seed}: a wave before that of {name} goes on"
            );
            let soak = SignedDuration::from_secs(rollout.waves[place - 1].soak_seconds as i64);
            let soaked =
                last_end[place - 1].is_none_or(|end| *at >= end.checked_add(soak).unwrap());
            assert!(
                soaked,
                "{seed}: {name} is begun at {at}, {soak:?} too early"
            );
        }
    }
    assert!(under_way.is_empty(), "{seed}: {under_way:?}");
}

/// What goes first goes alone, and is begun nowhere any more once the rest is begun somewhere.
fn check_barriers(seed: u64, scene: &Scene, rollout: &Rollout) {
    if rollout.barriers.is_empty() {
        return;
    }
    let is_first = |packages: &[String]| packages.iter().any(|package| package == "a/a-2");
    let mut rest_has_begun = false;
    for (guest, packages) in &scene.orders {
        if is_first(packages) {
            assert_eq!(packages.len(), 1, "{seed}: {guest} gets {packages:?}");
            assert!(!rest_has_begun, "{seed}: {guest} gets the first part last");
        }
        rest_has_begun |= !is_first(packages);
    }
}

/// Every round ends, and every guest has one of the outcomes that there are.
fn check_end(seed: u64, scene: &Scene, rollout: &Rollout) {
    let rounds: Vec<&Run> = scene
        .history
        .fleet
        .runs
        .values()
        .map(AsRef::as_ref)
        .collect();
    let most = if rollout.barriers.is_empty() { 1 } else { 2 };
    assert!(rounds.len() <= most, "{seed}: {} rounds", rounds.len());
    for round in &rounds {
        assert!(
            round.finished.is_some(),
            "{seed}: no end:\n{}",
            scene.report()
        );
    }
    let failed = |round: &&&Run| {
        let has_failed = |name: &&GuestName| {
            let state = round.tasks.get(&Task::Install((*name).clone()));
            scene.fates[*name] == Fate::Fails && state.is_some_and(|state| state.outcome.is_some())
        };
        u32::try_from(round.guests.keys().filter(has_failed).count()).unwrap()
    };
    let is_spent = rollout
        .budget
        .is_some_and(|budget| rounds.iter().map(|round| failed(&round)).sum::<u32>() >= budget);
    let begun = scene.log.iter().filter_map(|(run, _, it)| match it {
        Happened::Begun(name) => Some((*run, name)),
        Happened::Ended(_) => None,
    });
    let begun: BTreeSet<(RunId, &GuestName)> = begun.collect();
    for (name, fate) in &scene.fates {
        let last = rounds.iter().rev().find(|it| it.guests.contains_key(name));
        let last = last.unwrap();
        let outcome = guest_outcome(last, name);
        let is_begun = begun.contains(&(last.id, name));
        let fits = match (outcome, fate) {
            (GuestOutcome::LeftOut, fate) => *fate != Fate::Recovers || !is_begun,
            (GuestOutcome::Failed, fate) => matches!(fate, Fate::Fails | Fate::Vanished),
            (GuestOutcome::Updated, fate) => {
                matches!(fate, Fate::Well | Fate::Late(_) | Fate::Recovers)
            }
            // It has had what goes first, and nothing is begun any more.
            (GuestOutcome::HeldBack, _) => is_spent && !rollout.barriers.is_empty(),
            _ => false,
        };
        assert!(fits, "{seed}: {name} of {fate:?} is {outcome:?}");
        let still_wants = scene.wants(name).len();
        let has_all = outcome != GuestOutcome::Updated || still_wants == 0;
        assert!(has_all, "{seed}: {name} lacks {still_wants}");
    }
}

#[test]
fn whatever_the_policy_is_it_is_kept_and_every_run_ends() {
    let number = |name: &str| {
        std::env::var(name)
            .ok()
            .map(|text| text.parse::<u64>().unwrap())
    };
    if let Some(seed) = number("ROLLOUT_SEED") {
        let (scene, rollout, said) = play(seed, GUESTS);
        println!("{rollout:#?}\n{said:#?}\n{}", scene.report());
        check(seed, &scene, &rollout, &said);
        return;
    }
    let policies = number("ROLLOUT_POLICIES").unwrap_or(40);
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let next = std::sync::atomic::AtomicU64::new(0);
    let mut outcomes: BTreeMap<String, u64> = BTreeMap::new();
    std::thread::scope(|scope| {
        let try_some = || {
            let mut outcomes: BTreeMap<String, u64> = BTreeMap::new();
            loop {
                let seed = next.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                if seed >= policies {
                    return outcomes;
                }
                let (scene, rollout, said) = play(seed, GUESTS);
                check(seed, &scene, &rollout, &said);
                let left_out = scene.run().guests.values();
                let causes: BTreeSet<&str> = left_out
                    .filter_map(|guest| guest.left_out.as_ref().map(|it| it.cause.as_str()))
                    .collect();
                for cause in causes {
                    *outcomes.entry(cause.to_owned()).or_default() += 1;
                }
                if scene.history.fleet.runs.len() > 1 {
                    *outcomes.entry("TwoRounds".to_owned()).or_default() += 1;
                }
                if scene
                    .run()
                    .guests
                    .values()
                    .all(|guest| guest.left_out.is_none())
                {
                    *outcomes.entry("WholeFleet".to_owned()).or_default() += 1;
                }
            }
        };
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(try_some)).collect();
        for worker in workers {
            for (cause, number) in worker.join().unwrap() {
                *outcomes.entry(cause).or_default() += number;
            }
        }
    });
    println!("{policies} policies, {GUESTS} guests each: {outcomes:?}");
    // A test that never sees the end that it is about proves nothing.
    for cause in [
        "BudgetSpent",
        "GuestHeld",
        "NotApproved",
        "WindowNeverCame",
        "WholeFleet",
        "TwoRounds",
    ] {
        assert!(
            outcomes.contains_key(cause),
            "no policy ended with {cause}: {outcomes:?}"
        );
    }
}
