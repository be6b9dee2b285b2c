//! `trace`: where the time of a run went.

mod arguments;
mod otlp;
#[cfg(test)]
mod tests;
mod waterfall;

use std::sync::Arc;

use gentoo_updater_fleet::config::Settings;
use gentoo_updater_fleet::inspect::TraceView;
use jiff::Timestamp;

use self::arguments::Format;
use crate::{open, output};

pub(crate) use arguments::TraceOptions;

/// Shows a run as a tree of spans.
pub(crate) async fn trace(settings: &Arc<Settings>, options: &TraceOptions) -> anyhow::Result<u8> {
    let format = options.format();
    let is_json = format != Format::Text;
    let Some(opened) = open::to_look(settings).await? else {
        return match &options.run {
            None => crate::nothing_to_tell(settings, is_json),
            Some(name) => Err(open::unknown_run(name)),
        };
    };
    let looked = open::state_with(&opened, options.run.as_ref()).await;
    opened.bus.close().await;
    let fleet = looked?;
    let run = match &options.run {
        Some(name) => Some(name.find(&fleet).ok_or_else(|| open::unknown_run(name))?),
        None => fleet.newest(),
    };
    let Some(run) = run else {
        return crate::no_run_yet(is_json);
    };
    let view = TraceView::of(&fleet, run);
    match format {
        Format::Json => output::print_json(&view)?,
        Format::OtlpJson => output::print_json(&otlp::document(&view))?,
        Format::Text => {
            let text = waterfall::text(&view, Timestamp::now());
            output::print(|output| output.write_all(text.as_bytes()))?;
        }
    }
    Ok(crate::EXIT_DONE)
}
