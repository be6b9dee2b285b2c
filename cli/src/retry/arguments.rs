//! The command line of `retry`.

use clap::Args;

#[derive(Debug, Args)]
pub(crate) struct RetryOptions {
    /// A run by its id or the last twelve characters of it, or a job of the newest run by the first
    /// twelve digits of its id or by its package, such as dev-libs/foo. Without it, all that failed in
    /// the newest update
    #[arg(value_name = "JOB|RUN")]
    pub(crate) target: Option<String>,

    /// Follow the run to its end, and print its report
    ///
    /// Without a broker all roles work on it in this process, as in `run`.
    #[arg(long)]
    pub(crate) wait: bool,

    /// Print JSON: what was said, or with --wait the report
    #[arg(long)]
    pub(crate) json: bool,
}
