//! Log lines on standard error.

mod json;

use std::io::IsTerminal;

use clap::ValueEnum;
use gentoo_updater_bus::spans;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::ParseError;
use tracing_subscriber::fmt::format::JsonFields;

use self::json::JsonLines;

/// How log lines are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line: `time`, `level`, `message` and `target`, and whatever the line says
    /// beside that, `trace_id`, `run`, `kind`, `task` and `attempt` of its work first of all.
    Json,
}

/// Logging cannot start.
#[derive(Debug, thiserror::Error)]
#[error("RUST_LOG is not a filter such as info or gentoo_updater_bus=debug: {0}")]
pub struct LoggingError(#[from] ParseError);

/// Starts logging. A second call in one process changes nothing.
///
/// # Errors
/// When `RUST_LOG` cannot be understood.
pub(crate) fn start(format: LogFormat, level: &str) -> Result<(), LoggingError> {
    let filter = match std::env::var("RUST_LOG") {
        Ok(directives) if !directives.is_empty() => EnvFilter::try_new(directives)?,
        // lapin logs every closed connection as an error; the bus says it in better words.
        _ => EnvFilter::try_new(format!("{level},lapin=off,russh=warn"))?,
    };
    // Whatever is let through tells which work it is about.
    let filter = filter.add_directive(format!("{}=error", spans::TARGET).parse()?);
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        // A log file full of colours is read by nobody.
        .with_ansi(std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none())
        .with_writer(std::io::stderr);
    // An error means that logging has started before, which is what was asked for.
    let _ = match format {
        LogFormat::Text => builder.with_target(false).try_init(),
        LogFormat::Json => builder
            .fmt_fields(JsonFields::new())
            .event_format(JsonLines)
            .try_init(),
    };
    Ok(())
}
