//! `parse version`: which of two versions is higher.

use std::cmp::Ordering;

use gentoo_updater_portage::version::Version;
use serde::Serialize;

use super::NotUnderstood;
use super::arguments::VersionOptions;
use crate::output;

/// What is printed as JSON.
#[derive(Debug, Serialize)]
struct VersionDocument<'a> {
    left: &'a Version,
    /// `less`, `equal` or `greater`, of the left one.
    order: &'static str,
    right: &'a Version,
}

/// Compares two versions by PMS 3.3.
pub(super) fn version(options: &VersionOptions) -> anyhow::Result<()> {
    let read = |text: &str| text.parse::<Version>();
    let not_understood = |error| NotUnderstood(format!("{error}"));
    let left = read(&options.left).map_err(not_understood)?;
    let right = read(&options.right).map_err(not_understood)?;
    let (sign, order) = match left.vercmp(&right) {
        Ordering::Less => ('<', "less"),
        Ordering::Equal => ('=', "equal"),
        Ordering::Greater => ('>', "greater"),
    };
    if options.json {
        let (left, right) = (&left, &right);
        return output::print_json(&VersionDocument { left, order, right });
    }
    output::print(|output| writeln!(output, "{left} {sign} {right}"))
}
