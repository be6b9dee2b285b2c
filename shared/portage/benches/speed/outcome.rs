//! How a bench ends.

use std::error::Error;
use std::process::ExitCode;

/// 0 where every limit is kept, 1 where one is missed; 2 where it could not run, and then its
/// standard error says why.
pub(crate) fn exit_code(is_kept: Result<bool, Box<dyn Error>>) -> ExitCode {
    match is_kept {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("bench: {error}");
            ExitCode::from(2)
        }
    }
}
