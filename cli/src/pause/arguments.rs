//! The command lines of `pause` and `resume`.

use clap::Args;

#[derive(Debug, Args)]
pub(crate) struct PauseOptions {
    /// scanner, builder, installer, janitor or scheduler for all of that role, or one worker such as
    /// builder@fast
    #[arg(value_name = "ROLE|WORKER")]
    pub(crate) target: String,

    /// Why, in your words; `workers`, `status` and `queue list` show it
    #[arg(long, value_name = "TEXT")]
    pub(crate) reason: Option<String>,

    /// Print JSON: what was said
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ResumeOptions {
    /// scanner, builder, installer, janitor or scheduler for all of that role, or one worker such as
    /// builder@fast
    #[arg(value_name = "ROLE|WORKER")]
    pub(crate) target: String,

    /// Print JSON: what was said
    #[arg(long)]
    pub(crate) json: bool,
}
