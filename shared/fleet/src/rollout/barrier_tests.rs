use super::*;
use crate::message::Purpose;
use gentoo_updater_portage::build_key::{BuildKey, HexDigest};

fn update(name: &str, slot: &str, change: Change) -> Update {
    Update {
        key: BuildKey {
            cpv: name.parse().unwrap(),
            slot: slot.parse().unwrap(),
            repository: "gentoo".parse().unwrap(),
            ebuild_digest: HexDigest::sha256(name.as_bytes()),
            use_flags: Default::default(),
            bindings: Default::default(),
            environment_digest: None,
            kernel: None,
        }
        .into(),
        change,
        previous: Vec::new(),
        purpose: Purpose::Runtime,
        build_needs: Default::default(),
        runtime_needs: Default::default(),
        accepts: Default::default(),
        download: None,
        switched_flags: Default::default(),
    }
}

fn installed(name: &str, slot: &str) -> Arc<InstalledPackage> {
    Arc::new(InstalledPackage {
        cpv: name.parse().unwrap(),
        slot: slot.parse().unwrap(),
        repository: None,
        build_id: None,
        bindings: Vec::new(),
    })
}

fn atoms(text: &str) -> Vec<Atom> {
    vec![text.parse().unwrap()]
}

/// The changes of a package in one slot by which it goes first.
fn changes(barrier: &Barrier) -> Vec<Change> {
    let all = [
        Change::New,
        Change::NewSlot,
        Change::Upgrade,
        Change::Downgrade,
        Change::Reinstall,
        Change::Rebuild,
    ];
    let has = [installed("a/a-1", "0")];
    let is = |change: &Change| barrier.is(&update("a/a-2", "0", *change), &has);
    all.into_iter().filter(is).collect()
}

#[test]
fn another_version_of_what_was_there_goes_first_and_another_slot_where_that_is_meant() {
    let versions = [Change::NewSlot, Change::Upgrade, Change::Downgrade];
    assert_eq!(changes(&Barrier::Version(atoms("a/a"))), versions);
    assert_eq!(changes(&Barrier::Version(atoms(">=a/a-3"))), []);
    assert_eq!(changes(&Barrier::Slot(atoms("a/a"))), [Change::NewSlot]);
    assert_eq!(changes(&Barrier::Subslot(atoms("a/a"))), [Change::NewSlot]);
    assert_eq!(changes(&Barrier::Slot(atoms("a/b"))), []);
}

#[test]
fn another_subslot_is_one_that_the_guest_does_not_have_in_that_slot() {
    let barrier = Barrier::Subslot(atoms("a/a"));
    let has = [
        installed("a/b-1", "0/1"),
        installed("a/a-1", "0/1"),
        installed("a/a-0", "1/7"),
    ];
    let is = |slot, change| barrier.is(&update("a/a-2", slot, change), &has);
    assert!(is("0/2", Change::Upgrade));
    assert!(!is("0/1", Change::Upgrade));
    // The same version with other flags may well have another one.
    assert!(is("0/2", Change::Reinstall));
    assert!(!is("1/7", Change::Upgrade));
    let other = update("a/b-2", "0/2", Change::Upgrade);
    assert!(!barrier.is(&other, &has));
}

#[test]
fn a_flag_goes_first_where_it_is_switched_and_not_where_it_is_on() {
    let barrier = Barrier::Flags(vec!["python_targets_*".parse().unwrap()]);
    let mut row = update("a/a-2", "0", Change::Upgrade);
    let flag = |name: &str| name.parse::<UseFlag>().unwrap();
    Arc::make_mut(&mut row.key)
        .use_flags
        .insert(flag("python_targets_python3_13"), true);
    assert!(!barrier.is(&row, &[]));
    row.switched_flags.insert(flag("ssl"));
    assert!(!barrier.is(&row, &[]));
    row.switched_flags.insert(flag("python_targets_python3_13"));
    assert!(barrier.is(&row, &[]));
}

#[test]
fn a_pattern_is_a_flag_or_the_beginning_of_flags() {
    let matches = |pattern: &str, name: &str| {
        let pattern: FlagPattern = pattern.parse().unwrap();
        assert_eq!(
            FlagPattern::try_from(pattern.to_string()),
            Ok(pattern.clone())
        );
        pattern.matches(&name.parse().unwrap())
    };
    assert!(matches("ssl", "ssl") && !matches("ssl", "ssl3"));
    assert!(matches("ssl*", "ssl") && matches("ssl*", "ssl3"));
    assert!(!matches(
        "python_targets_*",
        "python_single_target_python3_13"
    ));
    for wrong in ["", "*", "a*b", "a**", "-ssl", "a b"] {
        let error = wrong.parse::<FlagPattern>().unwrap_err().to_string();
        assert!(error.contains("write one in full"), "{wrong}: {error}");
    }
}
