//! What to do about a failure, by its cause.
//!
//! The message of a failure tells what happened on that machine; what to do next is the same wherever
//! it happens, and stands here once. Everything that shows a failure shows this with it.

mod table;

use crate::message::{Failure, FailureClass};

use self::table::{AGAIN, NEXT_STEPS};

/// What to do next. It is a sentence without its full stop; commands and settings stand between backquotes.
///
/// A cause that is not known here, since a newer worker speaks of it, has the step of its class.
pub fn next_step(failure: &Failure) -> &'static str {
    let known = NEXT_STEPS.binary_search_by_key(&failure.cause.as_str(), |(cause, _)| cause);
    let known = known.ok().and_then(|place| NEXT_STEPS.get(place));
    match (known, failure.class) {
        (Some((_, step)), _) => step,
        (None, FailureClass::Transient) => AGAIN,
        (None, FailureClass::Permanent) => {
            "mend what it names, then `gentoo-updater retry` (of a build that goes on) or `gentoo-updater run`"
        }
        (None, FailureClass::Machine) => {
            "mend the machine that it names: it gets work again by itself, and what failed for it is tried \
             again"
        }
    }
}

/// The causes of failures that this program knows, in their order.
pub fn known_causes() -> impl Iterator<Item = &'static str> {
    NEXT_STEPS.iter().map(|(cause, _)| *cause)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn causes_are_in_order_so_that_each_is_found_and_each_has_a_step_of_its_own_words() {
        assert!(NEXT_STEPS.is_sorted_by(|a, b| a.0 < b.0), "{NEXT_STEPS:#?}");
        for cause in known_causes() {
            let failure = Failure::new(FailureClass::Permanent, cause, "");
            let step = next_step(&failure);
            assert!(step.len() > 20 && !step.ends_with('.'), "{cause}: {step}");
            assert_eq!(step.matches('`').count() % 2, 0, "{cause}: {step}");
        }
    }

    #[test]
    fn a_cause_that_nobody_knows_has_the_step_of_its_class() {
        for (class, words) in [
            (FailureClass::Transient, "by itself"),
            (FailureClass::Permanent, "gentoo-updater retry"),
            (FailureClass::Machine, "mend the machine"),
        ] {
            let step = next_step(&Failure::new(class, "OfTomorrow", ""));
            assert!(step.contains(words), "{step}");
        }
    }
}
