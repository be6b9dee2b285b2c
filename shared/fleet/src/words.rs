//! Numbers of things, for people.

use std::fmt::Display;

use jiff::SignedDuration;

/// So many of a thing: `1 package`, `2 packages`. The noun is given as of one, and is one whose
/// plural ends in `s`.
pub fn counted<N>(number: N, noun: &str) -> String
where
    N: Copy + Display + PartialEq + From<u8>,
{
    let ending = if number == N::from(1) { "" } else { "s" };
    format!("{number} {noun}{ending}")
}

/// A reason behind what it is the reason of, `: new disks`; nothing where none is given.
pub fn because(reason: Option<&str>) -> String {
    reason.map_or_else(String::new, |reason| format!(": {reason}"))
}

/// What a budget of failures means: `1 guest has failed`, `2 guests have failed`.
pub fn guests_failed(number: u32) -> String {
    let have = if number == 1 { "has" } else { "have" };
    format!("{} {have} failed", counted(number, "guest"))
}

/// A duration to the second, or to a tenth of one below a minute.
pub fn seconds(duration: SignedDuration) -> String {
    let total = duration.as_secs();
    if total >= 3600 {
        format!("{} h {:02} min", total / 3600, total % 3600 / 60)
    } else if total >= 60 {
        format!("{} min {:02} s", total / 60, total % 60)
    } else {
        format!("{:.1} s", duration.as_secs_f64())
    }
}

/// Bytes in a unit that people read (10^3).
#[allow(clippy::cast_precision_loss)]
pub fn size(bytes: u64) -> String {
    let units = ["kB", "MB", "GB", "TB"];
    let mut value = bytes as f64 / 1000.0;
    let mut unit = 0;
    while value >= 999.5 && unit + 1 < units.len() {
        value /= 1000.0;
        unit += 1;
    }
    format!("{value:.1} {}", units[unit])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_is_no_plural_and_none_is() {
        assert_eq!(counted(1_u64, "dead letter"), "1 dead letter");
        assert_eq!(counted(0_usize, "package"), "0 packages");
        assert_eq!(counted(2_u32, "attempt"), "2 attempts");
    }
}
