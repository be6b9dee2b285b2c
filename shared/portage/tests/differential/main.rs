//! Differential tests: what this crate says about names, versions, atoms, dependency strings
//! and lists of packages is what Portage says.
//!
//! Portage is the package `portage` of PyPI in a Python environment that `tests/portage-venv.sh`
//! makes; without it every test here fails. The inputs are generated from a seed, which a failure
//! prints and `DIFFERENTIAL_SEED` sets.
//!
//! Where this crate differs on purpose there is a [`rules::Rule`], a predicate on the text alone:
//! a test demands that a text is accepted exactly when Portage accepts it and no rule forbids it.
// All of this is test code: what does not hold panics.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod atoms;
mod dependencies;
mod ebuilds;
mod generate;
mod matching;
mod oracle;
mod plans;
mod random;
mod required_use;
mod rules;
mod versions;
mod words;
