//! Writing a store only while that is permitted.

use std::time::{Duration, Instant};

use gentoo_updater_fleet::message::Failure;
use gentoo_updater_runtime::store::{LOCK_PATIENCE, LOCKED};

/// For how long the lock is waited for before it is asked anew whether the store may be written.
pub(super) const TRY: Duration = Duration::from_secs(5);

/// Writes a store by `attempt`, which waits for the lock no longer than [`TRY`]. Just before each attempt
/// it is asked whether that is permitted: somebody else can hold the lock for minutes, and a run can begin
/// in that time.
///
/// # Errors
/// When it is not permitted, or as the last attempt.
pub(super) async fn write<Done, Asked, Attempt>(
    permitted: &impl Fn() -> Asked,
    attempt: impl Fn() -> Attempt,
) -> Result<Done, Failure>
where
    Asked: Future<Output = Result<(), Failure>>,
    Attempt: Future<Output = Result<Done, Failure>>,
{
    let begun = Instant::now();
    loop {
        permitted().await?;
        match attempt().await {
            Err(failure) if failure.cause == LOCKED && begun.elapsed() < LOCK_PATIENCE => {}
            outcome => return outcome,
        }
    }
}
