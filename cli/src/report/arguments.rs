//! The command line of `report`.

use clap::{Args, ValueEnum};
use gentoo_updater_fleet::inspect::RunName;
use gentoo_updater_fleet::name::GuestName;

#[derive(Debug, Args)]
pub(crate) struct ReportOptions {
    /// This run instead of the newest; the last twelve characters of its id will do
    #[arg(value_name = "RUN")]
    pub(crate) run: Option<RunName>,

    /// This guest alone, with all that is known of it: differences of configuration files, and the
    /// processes behind each service
    #[arg(long, value_name = "NAME")]
    pub(crate) guest: Option<GuestName>,

    /// As what it is written
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t = Format::Text)]
    pub(crate) format: Format,

    /// The same as --format json
    #[arg(long, conflicts_with = "format")]
    pub(crate) json: bool,
}

/// As what a report is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// Plain text, for a terminal
    Text,
    /// Markdown, for a ticket or a chat
    Markdown,
    /// One HTML page that needs nothing else, for a mail or a browser
    Html,
    /// JSON, for programs
    Json,
}

impl ReportOptions {
    /// As what it is to be written.
    pub(super) fn wanted(&self) -> Format {
        match self.json {
            true => Format::Json,
            false => self.format,
        }
    }
}
