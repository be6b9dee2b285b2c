//! What goes first over the fleet, as it is configured: the tables `[[rollout.barriers]]`.

use serde::Deserialize;

use super::invalid::Invalid;
use super::packages::named;
use crate::rollout::{Barrier, FlagPattern};

/// One table `[[rollout.barriers]]` as it is written.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct BarrierFragment {
    packages: Option<Vec<String>>,
    change: Option<PackageChange>,
    flags: Option<Vec<String>>,
}

#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum PackageChange {
    #[default]
    Version,
    Slot,
    Subslot,
}

/// What goes first where guests come in waves and nothing else is written: what programs of a newer
/// machine need and an older one does not have.
fn default() -> Vec<BarrierFragment> {
    let packages = |package: &str, change| BarrierFragment {
        packages: Some(vec![package.to_owned()]),
        change: Some(change),
        flags: None,
    };
    let targets = ["python_targets_*", "python_single_target_*"];
    vec![
        packages("sys-libs/glibc", PackageChange::Version),
        packages("sys-devel/gcc", PackageChange::Slot),
        packages("dev-libs/openssl", PackageChange::Subslot),
        BarrierFragment {
            flags: Some(targets.map(str::to_owned).into()),
            ..BarrierFragment::default()
        },
    ]
}

/// What goes first.
pub(super) fn check(
    written: Option<Vec<BarrierFragment>>,
    has_waves: bool,
) -> Result<Vec<Barrier>, Invalid> {
    let barriers = match written {
        Some(written) => written,
        None if has_waves => default(),
        None => Vec::new(),
    };
    let barriers = barriers.iter().enumerate();
    let barriers = barriers.map(|(place, one)| check_one(place + 1, one));
    barriers.collect()
}

fn check_one(number: usize, fragment: &BarrierFragment) -> Result<Barrier, Invalid> {
    let invalid = |cause: String| Invalid::Barrier { number, cause };
    let table = format!("[[rollout.barriers]] number {number}");
    let packages = fragment.packages.as_deref().unwrap_or_default();
    let flags = fragment.flags.as_deref().unwrap_or_default();
    match (packages, flags, fragment.change) {
        ([], [], _) => Err(invalid("names neither packages nor flags".to_owned())),
        ([], flags, None) => {
            let flags = flags.iter().map(|text| text.parse::<FlagPattern>());
            let flags: Result<_, _> = flags.collect();
            let flags = flags.map_err(|error| invalid(format!("is wrong: {error}")))?;
            Ok(Barrier::Flags(flags))
        }
        (packages, [], change) => {
            let atoms = packages.iter().map(|text| named(&table, text));
            let atoms = atoms.collect::<Result<_, _>>()?;
            Ok(match change.unwrap_or_default() {
                PackageChange::Version => Barrier::Version(atoms),
                PackageChange::Slot => Barrier::Slot(atoms),
                PackageChange::Subslot => Barrier::Subslot(atoms),
            })
        }
        ([], _, Some(_)) => Err(invalid("has flags and a change".to_owned())),
        _ => Err(invalid("has both packages and flags".to_owned())),
    }
}
