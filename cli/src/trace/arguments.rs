//! The command line of `trace`.

use clap::{Args, ValueEnum};
use gentoo_updater_fleet::inspect::RunName;

/// How a trace is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// A waterfall for people.
    Text,
    /// The tree of spans.
    Json,
    /// The file form of OpenTelemetry, which Jaeger, Tempo and collectors take; of what has ended.
    OtlpJson,
}

#[derive(Debug, Args)]
pub(crate) struct TraceOptions {
    /// This run instead of the newest; the last twelve characters of its id will do
    #[arg(value_name = "RUN")]
    pub(crate) run: Option<RunName>,

    /// Print the tree of spans as JSON; short for --format json
    #[arg(long, conflicts_with = "format")]
    pub(crate) json: bool,

    /// How it is printed
    #[arg(long, value_enum, value_name = "FORMAT", default_value = "text")]
    pub(crate) format: Format,
}

impl TraceOptions {
    /// How it is printed.
    pub(crate) fn format(&self) -> Format {
        match self.json {
            true => Format::Json,
            false => self.format,
        }
    }
}
