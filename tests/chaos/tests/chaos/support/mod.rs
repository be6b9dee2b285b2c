//! What the tests share.

mod check;
mod figures;
mod fleet;
mod opening;
mod process;
mod waiting;

pub(crate) use check::Expected;
pub(crate) use figures::{Figures, report};
pub(crate) use fleet::{Fleet, Ways, builder};
pub(crate) use opening::{Policy, declare};
pub(crate) use process::was_killed;

use std::time::Duration;

/// Fails a test that would otherwise wait for ever.
pub(crate) async fn within<F: Future>(what: &str, seconds: u64, waited: F) -> F::Output {
    match tokio::time::timeout(Duration::from_secs(seconds), waited).await {
        Ok(output) => output,
        Err(_) => panic!("{what} did not happen within {seconds} s"),
    }
}
