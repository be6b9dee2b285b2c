//! Generated inputs that a seed repeats.

use proptest::prelude::*;
use proptest::test_runner::{RngAlgorithm, TestRng, TestRunner};

/// Runs a test on generated inputs. They come from the seed in `DIFFERENTIAL_SEED`, by default the
/// same each time; a failure names it.
pub(crate) fn for_each<S: Strategy>(
    cases: u32,
    strategy: &S,
    test: impl Fn(S::Value) -> Result<(), TestCaseError>,
) {
    let seed = match std::env::var("DIFFERENTIAL_SEED") {
        Ok(text) => text.parse().expect("DIFFERENTIAL_SEED is a number"),
        Err(_) => 1_u64,
    };
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let config = ProptestConfig {
        cases,
        failure_persistence: None,
        // Each step runs real programs.
        max_shrink_iters: 150,
        ..ProptestConfig::default()
    };
    let random = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
    if let Err(error) = TestRunner::new_with_rng(config, random).run(strategy, test) {
        panic!("repeat with DIFFERENTIAL_SEED={seed}: {error}");
    }
}
