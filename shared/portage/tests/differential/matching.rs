//! Atoms against packages, and USE dependencies against the flags of dependant and dependency.

use std::collections::BTreeSet;

use gentoo_updater_portage::atom::{Atom, Candidate, PackageUse, UseDependency};
use gentoo_updater_portage::cpv::Cpv;
use gentoo_updater_portage::name::{RepositoryName, SlotAndSubslot, UseFlag};
use serde_json::{Value, json};

use crate::generate::{FLAGS, atom, near_version, version};
use crate::oracle::ask;
use crate::random::Random;

const ATOMS: usize = 20_000;
const PACKAGES: usize = 6;

fn flags(names: &[&str]) -> BTreeSet<UseFlag> {
    names.iter().map(|name| name.parse().unwrap()).collect()
}

/// A good atom that has USE dependencies if that is wanted.
fn good_atom(random: &mut Random, with_use: bool) -> Atom {
    loop {
        if let Ok(atom) = atom(random).parse::<Atom>()
            && (!with_use || !atom.use_dependencies().is_empty())
        {
            return atom;
        }
    }
}

struct Package {
    cpv: Cpv,
    slot: SlotAndSubslot,
    repository: Option<RepositoryName>,
    build_id: Option<u32>,
    /// Known and enabled flags.
    flags: Option<(BTreeSet<UseFlag>, BTreeSet<UseFlag>)>,
}

impl Package {
    /// A package that the atom might match. Another name is never the atom's with something
    /// appended: `=cat/a-1*` matches `cat/a-1x-2` for `match_from_list`, which Portage never asks
    /// it, because it gives only packages of one name.
    fn near(random: &mut Random, atom: &Atom) -> Self {
        let name = if random.chance(95) {
            atom.category_package().to_string()
        } else {
            "other/name".to_owned()
        };
        let cpv = loop {
            let version = match atom.version() {
                Some(wanted) if random.chance(85) => near_version(random, wanted.version.as_str()),
                _ => version(random),
            };
            if let Ok(cpv) = format!("{name}-{version}").parse() {
                break cpv;
            }
        };
        let known = random.subset(&FLAGS);
        Self {
            cpv,
            slot: random
                .pick(&["0", "0", "0/2", "0/2", "3.12", "1"])
                .parse()
                .unwrap(),
            repository: random
                .chance(70)
                .then(|| random.pick(&["gentoo", "x-portage"]).parse().unwrap()),
            build_id: random.chance(40).then(|| random.pick(&[0, 1, 5, 12])),
            // Enabled flags that the package does not know do happen, and count for nothing.
            flags: random
                .chance(80)
                .then(|| (flags(&known), flags(&random.subset(&FLAGS)))),
        }
    }

    fn question(&self) -> Value {
        json!([
            self.cpv,
            format!("{}/{}", self.slot.slot, self.slot.subslot),
            self.repository,
            self.build_id,
            self.flags,
        ])
    }

    fn candidate(&self) -> Candidate<'_> {
        Candidate {
            cpv: &self.cpv,
            slot: &self.slot,
            repository: self.repository.as_ref(),
            build_id: self.build_id,
            use_flags: self
                .flags
                .as_ref()
                .map(|(known, enabled)| PackageUse { known, enabled }),
        }
    }
}

#[test]
fn atoms_match_what_they_match_for_portage() {
    let mut random = Random::new(4);
    let cases: Vec<_> = (0..ATOMS)
        .map(|_| {
            let atom = good_atom(&mut random, false);
            let packages: Vec<Package> = (0..PACKAGES)
                .map(|_| Package::near(&mut random, &atom))
                .collect();
            let parent = random.chance(60).then(|| flags(&random.subset(&FLAGS)));
            (atom, parent, packages)
        })
        .collect();
    let questions: Vec<_> = cases
        .iter()
        .map(|(atom, parent, packages)| {
            let packages: Vec<_> = packages.iter().map(Package::question).collect();
            json!(["matches", atom, parent, packages])
        })
        .collect();
    let (mut yes, mut no) = (0, 0);
    for ((atom, parent, packages), answer) in cases.iter().zip(ask(&questions)) {
        let answer = answer.as_array().unwrap();
        for (package, expected) in packages.iter().zip(answer) {
            let candidate = package.candidate();
            let here = match parent {
                None => atom.matches(&candidate),
                Some(parent) => atom.matches_for(&candidate, |flag| parent.contains(flag)),
            };
            assert_eq!(
                here,
                expected.as_bool().unwrap(),
                "{atom} for {parent:?} against {}; {}",
                package.question(),
                random.replay()
            );
            *(if here { &mut yes } else { &mut no }) += 1;
        }
    }
    println!("matching: {yes} pairs of atom and package match, {no} do not, as for Portage");
    assert!(yes > 10_000 && no > 10_000, "one-sided");
}

#[test]
fn use_dependencies_are_evaluated_and_violated_as_for_portage() {
    let mut random = Random::new(5);
    let cases: Vec<_> = (0..ATOMS)
        .map(|_| {
            let atom = good_atom(&mut random, true);
            let parent = flags(&random.subset(&FLAGS));
            let known = random.subset(&FLAGS);
            let enabled = flags(&random.subset(&known));
            (atom, parent, flags(&known), enabled)
        })
        .collect();
    let questions: Vec<_> = cases
        .iter()
        .map(|(atom, parent, known, enabled)| json!(["use", atom, parent, known, enabled]))
        .collect();
    for ((atom, parent, known, enabled), answer) in cases.iter().zip(ask(&questions)) {
        let parent_has = |flag: &UseFlag| parent.contains(flag);
        let package = PackageUse { known, enabled };
        let evaluated = atom.evaluated(parent_has);
        assert!(
            evaluated
                .use_dependencies()
                .iter()
                .all(|one| !one.is_conditional())
        );
        let here = json!({
            "evaluated": texts(evaluated.use_dependencies().iter()),
            "violated": texts(atom.violated_by(&package, parent_has).into_iter()),
        });
        assert_eq!(
            here,
            answer,
            "{atom} of a package with {parent:?} against {package:?}; {}",
            random.replay()
        );
    }
    println!("USE dependencies: {ATOMS} atoms evaluated and checked, all equal to Portage");
}

fn texts<'a>(dependencies: impl Iterator<Item = &'a UseDependency>) -> Vec<String> {
    dependencies.map(ToString::to_string).collect()
}
