//! Fleets that want many updates.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use fastrand::Rng;
use gentoo_updater_fleet::message::{Change, Purpose, Update};
use gentoo_updater_fleet::name::GuestName;
use gentoo_updater_portage::build_key::{BuildKey, HexDigest};
use gentoo_updater_portage::compact::CompactSet;
use gentoo_updater_portage::cpv::Cpv;

/// How many packages the guests choose from: about what one profile of a fleet comes to.
const PACKAGES: usize = 3000;
/// Kinds of guests, such as mail servers and desktops: they have what all have, and things of their
/// own.
const KINDS: usize = 8;
/// Part of the packages of a guest that all guests have.
const COMMON: usize = 200;

/// The updates of a thousand guests and their like.
pub(crate) struct Plans {
    pub(crate) guests: Vec<(GuestName, Vec<Arc<Update>>)>,
}

impl Plans {
    /// `updates` for each of so many guests. Where they are not `shared`, each guest has rows of its
    /// own in memory, as they come out of messages.
    pub(crate) fn draw(guests: usize, updates: usize, shared: bool) -> Self {
        let mut rng = Rng::with_seed(6);
        let packages: Vec<Package> = (0..PACKAGES).map(|n| Package::draw(&mut rng, n)).collect();
        let kinds: Vec<Vec<usize>> = (0..KINDS).map(|_| kind(&mut rng)).collect();
        let mut rows: BTreeMap<(usize, usize), Arc<Update>> = BTreeMap::new();
        let mut plans = Vec::with_capacity(guests);
        for number in 0..guests {
            let name: GuestName = format!("guest-{number:04}").parse().expect("a name");
            let own = kinds.get(number % KINDS).expect("a kind");
            let mut chosen: BTreeSet<usize> =
                own.iter().take(updates - updates / 20).copied().collect();
            while chosen.len() < updates {
                chosen.insert(rng.usize(0..PACKAGES));
            }
            let plan = chosen.iter().map(|place| {
                // Most guests agree on the flags of a package; kinds differ, and a few guests do.
                let variant = match rng.f64() {
                    roll if roll < 0.90 => 0,
                    roll if roll < 0.99 => 1 + number % KINDS % 3,
                    _ => 4 + rng.usize(0..4),
                };
                let package = packages.get(*place).expect("a package");
                if !shared {
                    return Arc::new(package.update(variant, &chosen, &packages));
                }
                let row = rows.entry((*place, variant));
                row.or_insert_with(|| Arc::new(package.update(variant, &chosen, &packages)))
                    .clone()
            });
            let plan = plan.collect();
            plans.push((name, plan));
        }
        Self { guests: plans }
    }
}

/// What a kind of guests has: what all have first.
fn kind(rng: &mut Rng) -> Vec<usize> {
    let mut own: Vec<usize> = (COMMON..PACKAGES).collect();
    rng.shuffle(&mut own);
    (0..COMMON).chain(own).collect()
}

struct Package {
    cpv: Cpv,
    flags: usize,
    needs: Vec<usize>,
    libraries: Vec<usize>,
}

impl Package {
    fn draw(rng: &mut Rng, number: usize) -> Self {
        let text = format!(
            "category-{}/package_{number}-{}.{}",
            number % 40,
            rng.u8(1..9),
            number % 17
        );
        // What is below it has a lower number, mostly one that many need.
        let below = |rng: &mut Rng| (rng.f64().powi(3) * number as f64) as usize;
        let count = rng.usize(0..8).min(number);
        let needs: Vec<usize> = (0..count).map(|_| below(rng)).collect();
        let libraries = needs.iter().take(2).copied().collect();
        Self {
            cpv: text.parse().expect("a package and its version"),
            flags: rng.usize(0..24),
            needs,
            libraries,
        }
    }

    fn update(&self, variant: usize, chosen: &BTreeSet<usize>, packages: &[Self]) -> Update {
        let cpv = |place: &usize| packages.get(*place).map(|package| package.cpv.clone());
        let needs: CompactSet<Cpv> = self
            .needs
            .iter()
            .filter(|place| chosen.contains(place))
            .filter_map(cpv)
            .collect();
        let flag = |number: usize| {
            let name = format!("flag-{number}").parse().expect("a flag");
            (name, (number + variant).is_multiple_of(3))
        };
        let bindings = self.libraries.iter().filter_map(|place| {
            let target = packages.get(*place)?.cpv.category_package.to_string();
            let slot = format!("0/{}", place % 7);
            Some((
                target.parse().expect("a target"),
                slot.parse().expect("a slot"),
            ))
        });
        Update {
            key: BuildKey {
                cpv: self.cpv.clone(),
                slot: "0".parse().expect("a slot"),
                repository: "gentoo".parse().expect("a repository"),
                ebuild_digest: HexDigest::sha256(self.cpv.to_string().as_bytes()),
                use_flags: (0..self.flags).map(flag).collect(),
                bindings: bindings.collect(),
                environment_digest: None,
                kernel: None,
            }
            .into(),
            change: Change::Upgrade,
            previous: vec!["1.0".to_owned()],
            purpose: Purpose::Runtime,
            build_needs: needs.clone(),
            runtime_needs: needs,
            accepts: Default::default(),
            download: None,
            switched_flags: BTreeSet::new(),
        }
    }
}
