//! Over generated histories of a fleet nothing is ever deleted that somebody needs.
//!
//! A history is made of the fleet's own events, and what is needed is read from them. What guests have,
//! and could go back to, the test knows by itself ([`needed`]). Runs are of some guests, go on beside one
//! another, and need not end. The store is collected by an operator, and at the end of runs before these
//! are said to be over; other things happen between the look at it, the decision and the deletion.

mod collecting;
mod needed;
mod runs;
mod world;

use std::collections::BTreeSet;

use proptest::collection::{btree_set, vec};
use proptest::prelude::*;

use self::world::World;

const PACKAGES: usize = 5;
const GUESTS: usize = 4;

/// Something that happens. A run is one of those that go on, counted round and round.
#[derive(Debug, Clone)]
enum Happening {
    /// Somebody asks for a run of some guests, which are asked what they have.
    Begun {
        guests: BTreeSet<usize>,
        is_update: bool,
    },
    /// The answers are told, some binaries are found in the store, the oldest there is of each, and others
    /// built.
    Built {
        run: usize,
        found: BTreeSet<usize>,
        built: BTreeSet<usize>,
    },
    /// The guests of a run get what it has built and found, but for those that fail.
    Installed {
        run: usize,
        failing: BTreeSet<usize>,
    },
    /// A further round follows a run.
    Further(usize),
    /// A run is over.
    Over(usize),
    /// All of it, one after the other, of all guests.
    Updated { built: BTreeSet<usize> },
    /// A run of all guests finds nothing to do.
    NothingToDo,
    /// A guest comes, with the newest of everything.
    NewGuest,
    /// A guest is switched off or on.
    Switched(usize),
    /// A builder dies when the binary of a package is in the store, and before its record is.
    Crashed(usize),
    /// The record of the newest binary of a package gets lost, whoever has it installed.
    RecordLost(usize),
    /// A guest goes back to what it had before one of its updates that count, and nobody asks it.
    Rollback(usize, usize),
    /// Time passes.
    Days(u64),
    /// The store is collected, with a budget of so many binaries; something happens before guests are
    /// asked, and before it is deleted.
    Collected {
        budget: Option<u64>,
        at_the_end_of: Option<usize>,
        meanwhile: [Vec<Happening>; 2],
    },
}

fn happening() -> impl Strategy<Value = Happening> {
    let packages = || btree_set(0..PACKAGES, 0..3);
    let guests = || btree_set(0..GUESTS, 0..3);
    let run = || 0..3_usize;
    let begun = (guests(), any::<bool>());
    let begun = begun.prop_map(|(guests, is_update)| Happening::Begun { guests, is_update });
    let built = (run(), packages(), packages());
    let built = built.prop_map(|(run, found, built)| Happening::Built { run, found, built });
    let installed = (run(), btree_set(0..GUESTS, 0..2));
    let installed = installed.prop_map(|(run, failing)| Happening::Installed { run, failing });
    let rollback = (0..GUESTS, 0..3_usize);
    let one = prop_oneof![
        3 => begun,
        5 => built,
        5 => installed,
        1 => run().prop_map(Happening::Further),
        3 => run().prop_map(Happening::Over),
        6 => packages().prop_map(|built| Happening::Updated { built }),
        2 => Just(Happening::NothingToDo),
        1 => Just(Happening::NewGuest),
        2 => (0..GUESTS).prop_map(Happening::Switched),
        2 => (0..PACKAGES).prop_map(Happening::Crashed),
        2 => (0..PACKAGES).prop_map(Happening::RecordLost),
        2 => rollback.prop_map(|(guest, back)| Happening::Rollback(guest, back)),
        4 => (0..50_u64).prop_map(Happening::Days),
    ];
    let budget = proptest::option::of(0..20_u64);
    let meanwhile = [vec(one.clone(), 0..3), vec(one.clone(), 0..2)];
    let collected = (budget, proptest::option::of(run()), meanwhile);
    let collected = collected.prop_map(|(budget, at_the_end_of, meanwhile)| Happening::Collected {
        budget,
        at_the_end_of,
        meanwhile,
    });
    prop_oneof![5 => one, 1 => collected]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn nothing_goes_that_a_guest_a_run_or_a_rollback_needs(
        updates in 1..=3_usize,
        happenings in vec(happening(), 1..80),
    ) {
        let mut world = World::new(updates);
        for happening in &happenings {
            world.happens(happening);
        }
    }
}

fn collected() -> Happening {
    Happening::Collected {
        budget: None,
        at_the_end_of: None,
        meanwhile: Default::default(),
    }
}

/// The test above could pass because nothing is ever deleted.
#[test]
fn much_goes_of_a_history_without_accidents() {
    let mut world = World::new(2);
    for number in 0..20 {
        let built = [0, 1, 2].map(|more| (number + more) % PACKAGES).into();
        world.happens(&Happening::Updated { built });
        world.happens(&Happening::Crashed(number % PACKAGES));
        world.happens(&Happening::Days(10));
        world.happens(&collected());
    }
    assert_eq!(world.collected, 20);
    // Of 65 binaries stay the newest five, what the last two updates replaced, and a month's.
    assert!(world.deleted > 60, "{} went", world.deleted);
    assert_eq!(world.orphans_went, 20);
}

/// Nobody has to ask for it.
#[test]
fn runs_alone_keep_a_store_as_small_as_an_operator_does() {
    let [mut by_runs, mut by_hand] = [World::new(2), World::new(2)];
    for number in 0..20 {
        for (world, at_the_end_of) in [(&mut by_runs, Some(0)), (&mut by_hand, None)] {
            let built = [0, 1, 2].map(|more| (number + more) % PACKAGES).into();
            world.happens(&Happening::Begun {
                guests: (0..GUESTS).collect(),
                is_update: true,
            });
            world.happens(&Happening::Built {
                run: 0,
                found: BTreeSet::new(),
                built,
            });
            world.happens(&Happening::Installed {
                run: 0,
                failing: BTreeSet::new(),
            });
            if at_the_end_of.is_none() {
                world.happens(&Happening::Over(0));
            }
            world.happens(&Happening::Collected {
                budget: None,
                at_the_end_of,
                meanwhile: Default::default(),
            });
        }
        assert_eq!(by_runs.store.len(), by_hand.store.len());
        for world in [&mut by_runs, &mut by_hand] {
            world.happens(&Happening::Days(10));
        }
    }
    assert!(by_runs.deleted > 40, "{} went", by_runs.deleted);
}

/// Timers that find nothing to do, and updates of others, do not make old what a guest could go back to.
#[test]
fn only_a_guests_own_updates_make_its_former_state_old() {
    let mut world = World::new(1);
    world.happens(&Happening::Updated { built: [0].into() });
    for _ in 0..4 {
        world.happens(&Happening::NothingToDo);
    }
    for _ in 0..4 {
        let steps = [
            Happening::Begun {
                guests: [1].into(),
                is_update: true,
            },
            Happening::Built {
                run: 0,
                found: BTreeSet::new(),
                built: [1].into(),
            },
            Happening::Installed {
                run: 0,
                failing: BTreeSet::new(),
            },
            Happening::Over(0),
        ];
        steps.iter().for_each(|step| world.happens(step));
    }
    world.happens(&Happening::Days(400));
    world.happens(&collected());
    assert!(world.deleted > 0, "what the other guest had before goes");
    assert!(
        world.store.contains_key(&(0, 1, 1)),
        "g0 could go back to it"
    );
}

/// Two runs go on with one guest: what the older one installs came after the answer to the newer one.
#[test]
fn what_a_run_built_that_was_not_over_when_a_guest_was_asked_may_be_on_it() {
    let mut world = World::new(1);
    let begun = |is_update| Happening::Begun {
        guests: [0].into(),
        is_update,
    };
    let built = |run, package: usize| Happening::Built {
        run,
        found: BTreeSet::new(),
        built: [package].into(),
    };
    let steps = [
        begun(true),
        built(0, 1),
        begun(false),
        Happening::Over(1),
        Happening::Installed {
            run: 0,
            failing: BTreeSet::new(),
        },
        Happening::Switched(0),
        Happening::Over(0),
        // Of the other guest, so that this alone counts as an update of the platform.
        Happening::Begun {
            guests: [1].into(),
            is_update: true,
        },
        built(0, 2),
        Happening::Over(0),
        Happening::Days(400),
    ];
    steps.iter().for_each(|step| world.happens(step));
    // Fails where something is gone that the guest has.
    world.happens(&collected());
    assert_eq!(world.collected, 1);
}
