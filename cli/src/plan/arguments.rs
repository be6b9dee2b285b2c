//! The command line of `plan`.

use clap::Args;
use gentoo_updater_fleet::inspect::RunName;

#[derive(Debug, Args)]
pub(crate) struct PlanOptions {
    /// This run instead of the newest that builds; the last twelve characters of its id will do
    #[arg(value_name = "RUN")]
    pub(crate) run: Option<RunName>,

    /// Print the graph of the jobs in the language of GraphViz (DOT)
    ///
    /// Arrows lead from what is needed to what needs it: a solid one to a build, a dashed one to
    /// what needs it when it runs, and a dotted red one where a ring was broken. Colours tell how
    /// far each job is, and the critical path is bold.
    #[arg(long, conflicts_with = "json")]
    pub(crate) graph: bool,

    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}
