//! `plan`: the batch of a run.

mod arguments;
mod dot;
mod table;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use gentoo_updater_fleet::config::Settings;
use gentoo_updater_fleet::inspect::PlanView;
use jiff::Timestamp;

use crate::{open, output};

pub(crate) use arguments::PlanOptions;

/// Shows the batch of a run.
pub(crate) async fn plan(settings: &Arc<Settings>, options: &PlanOptions) -> anyhow::Result<u8> {
    let Some(opened) = open::to_look(settings).await? else {
        return match &options.run {
            None => crate::nothing_to_tell(settings, options.json),
            Some(name) => Err(open::unknown_run(name)),
        };
    };
    let looked = open::state_with(&opened, options.run.as_ref()).await;
    opened.bus.close().await;
    let fleet = looked?;
    let run = match &options.run {
        Some(name) => Some(name.find(&fleet).ok_or_else(|| open::unknown_run(name))?),
        None => fleet.newest_update(),
    };
    let Some(run) = run else {
        return crate::no_run_yet(options.json);
    };
    let view = PlanView::of(&fleet, run);
    if options.json {
        output::print_json(&view)?;
        return Ok(crate::EXIT_DONE);
    }
    if !view.planned {
        eprintln!("{}", table::not_planned(&view));
        return Ok(crate::EXIT_WITH_FAILURES);
    }
    let text = match options.graph {
        true => dot::graph(&view),
        false => table::text(&view, Timestamp::now()),
    };
    output::print(|output| output.write_all(text.as_bytes()))?;
    Ok(crate::EXIT_DONE)
}
