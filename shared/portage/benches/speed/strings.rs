//! Dependency strings and atoms.

use std::error::Error;

use gentoo_updater_portage::atom::Atom;
use gentoo_updater_portage::dependency::Dependency;

use crate::input::{self, Numbers};
use crate::reference;
use crate::table::{Table, best_of};

const STRINGS: usize = 5_000;
const ATOMS: usize = 20_000;

pub(crate) fn measure(table: &mut Table) -> Result<(), Box<dyn Error>> {
    let mut numbers = Numbers::new(3);
    let strings: Vec<String> = (0..STRINGS)
        .map(|_| input::dependency(&mut numbers))
        .collect();
    let reached = |text: &String| {
        let dependency: Dependency = text.parse().ok()?;
        let enabled =
            |flag: &gentoo_updater_portage::name::UseFlag| input::ENABLED.contains(&flag.as_str());
        Some(dependency.atoms(enabled).len())
    };
    let evaluate = || strings.iter().map(reached).sum::<Option<usize>>();
    let time = best_of(7, evaluate).as_secs_f64();
    let portage = reference::run("use_reduce", &strings)?;
    assert_eq!(
        Some(portage.result),
        evaluate(),
        "Portage reaches as many atoms"
    );
    table.show(
        "dependency strings of 13 atoms, read and evaluated",
        rate(STRINGS, time),
        "k/s",
    );
    table.show(
        "  Portage's use_reduce",
        rate(STRINGS, portage.seconds),
        "k/s",
    );
    table.show("  Portage's time / ours", portage.seconds / time, "");

    let atoms: Vec<String> = (0..ATOMS).map(|_| input::atom(&mut numbers)).collect();
    let read = || {
        atoms
            .iter()
            .filter(|text| text.parse::<Atom>().is_ok())
            .count()
    };
    let time = best_of(7, read).as_secs_f64();
    let portage = reference::run("atom", &atoms)?;
    assert_eq!(
        (portage.result, read()),
        (ATOMS, ATOMS),
        "both read every atom"
    );
    table.show("atoms, read", rate(ATOMS, time), "k/s");
    table.show("  Portage's Atom", rate(ATOMS, portage.seconds), "k/s");
    table.show("  Portage's time / ours", portage.seconds / time, "");
    Ok(())
}

/// Thousands a second.
fn rate(count: usize, seconds: f64) -> f64 {
    count as f64 / seconds / 1e3
}
