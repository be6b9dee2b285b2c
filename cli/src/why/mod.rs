//! `why`: the whole chain of a package.

mod arguments;
#[cfg(test)]
mod tests;
mod words;

use std::io::IsTerminal;
use std::sync::Arc;

use gentoo_updater_bus::Bus;
use gentoo_updater_bus::run_index::{Indexed, RunIndexCache, run_told, up_to_date};
use gentoo_updater_fleet::config::Settings;
use gentoo_updater_fleet::inspect::{
    IndexedRun, RunIndex, RunName, UnknownPackage, WhyView, never_seen, package_asked,
};
use gentoo_updater_fleet::message::Task;
use gentoo_updater_fleet::name::{GuestName, RunId};
use gentoo_updater_fleet::remedy::next_step;
use gentoo_updater_fleet::state::Run;
use gentoo_updater_portage::atom::Atom;
use gentoo_updater_portage::name::CategoryPackage;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use jiff::Timestamp;
use serde::Serialize;

use crate::open;
use crate::output;
use crate::standing::no_such_run;
use crate::{NotThere, WrongUsage};

pub(crate) use arguments::WhyOptions;

/// From how many events on that had to be read the index is kept anew: to read less is quicker than to
/// write it.
const WORTH_KEEPING: u64 = 500;
/// From how many events on it is told that the history is read.
const TOLD_FROM: u64 = 20_000;

/// The document of `why --json`.
#[derive(Debug, Serialize)]
struct WhyDocument<'a> {
    #[serde(flatten)]
    why: &'a WhyView,
    /// Other runs that were about the package, the newest first.
    other_runs: Vec<RunId>,
}

/// Tells the chain of a package.
pub(crate) async fn why(settings: &Arc<Settings>, options: &WhyOptions) -> anyhow::Result<u8> {
    let Some(opened) = open::to_look(settings).await? else {
        return crate::nothing_to_tell(settings, options.json);
    };
    let cache = RunIndexCache::in_directory(&settings.state_directory);
    let kept = cache.load().await;
    let mut bar = None;
    let indexed = up_to_date(opened.bus.as_ref(), kept, |offset, end| {
        show(&mut bar, offset, end);
    });
    let indexed = indexed.await?;
    if let Some(bar) = bar {
        bar.finish_and_clear();
    }
    let told = tell(opened.bus.as_ref(), &indexed.index, options).await;
    opened.bus.close().await;
    keep(&cache, &indexed).await;
    told
}

/// The first time takes as long as the history is.
fn show(bar: &mut Option<ProgressBar>, offset: u64, end: u64) {
    if bar.is_none() && end.saturating_sub(offset) >= TOLD_FROM && std::io::stderr().is_terminal() {
        let new = ProgressBar::with_draw_target(Some(end), ProgressDrawTarget::stderr());
        let form = "reading the history, once: {bar:30} {pos}/{len}";
        if let Ok(style) = ProgressStyle::with_template(form) {
            new.set_style(style);
        }
        *bar = Some(new);
    }
    if let Some(bar) = bar {
        bar.set_position(offset);
    }
}

/// An index that cannot be kept costs time and nothing else.
async fn keep(cache: &RunIndexCache, indexed: &Indexed) {
    if indexed.made_anew.is_none() && indexed.read < WORTH_KEEPING {
        return;
    }
    if let Err(error) = cache.keep(&indexed.index).await {
        eprintln!("The next call reads the history again: {error}");
    }
}

async fn tell(bus: &dyn Bus, index: &RunIndex, options: &WhyOptions) -> anyhow::Result<u8> {
    let package = asked(index, &options.package)?;
    let name = package.category_package();
    let runs: Vec<IndexedRun> = index.runs_of(name).collect();
    let run = match &options.run {
        Some(run) => index
            .find(|id| run.is(id))
            .ok_or_else(|| no_such_run(run))?,
        None => match runs.first() {
            Some(newest) => *newest,
            // No run changes anything of it. The newest one may tell who has it.
            None => index
                .find(|_| true)
                .ok_or_else(|| not_there(&package, index))?,
        },
    };
    let told = run_told(bus, index, run, |it| it.cpv.category_package == *name).await?;
    let Some((fleet, had)) = told else {
        return Err(no_such_run(&RunName::Id(run.run)));
    };
    let known = fleet
        .runs
        .get(&run.run)
        .ok_or_else(|| not_there(&package, index))?;
    if let Some(guest) = &options.guest
        && !known.guests.contains_key(guest)
    {
        let names: Vec<&str> = known.guests.keys().map(|name| name.as_str()).collect();
        let names = names.join(", ");
        let message = format!("run {} has no guest {guest}; it has {names}", run.run);
        return Err(NotThere(message).into());
    }
    let now = Timestamp::now();
    let view = WhyView::of(&fleet, known, &package, options.guest.as_ref(), &had, now);
    // Nobody has it and nobody wants it: it is a slip, most of the time.
    if runs.is_empty() && view.is_empty() && view.guests.iter().all(|guest| guest.had.is_empty()) {
        let message = format!(
            "{}{}",
            not_there(&package, index),
            unasked(known, options.guest.as_ref())
        );
        return Err(NotThere(message).into());
    }
    let others = runs.iter().map(|it| it.run).filter(|it| *it != run.run);
    let others: Vec<RunId> = others.collect();
    if options.json {
        output::print_json(&WhyDocument {
            why: &view,
            other_runs: others,
        })?;
    } else {
        let text = words::text(&view, &others, now);
        output::print(|output| output.write_all(text.as_bytes()))?;
    }
    Ok(crate::EXIT_DONE)
}

fn asked(index: &RunIndex, text: &str) -> anyhow::Result<Atom> {
    let known: Vec<&CategoryPackage> = index.packages().collect();
    package_asked(text, known.iter().copied()).map_err(|error| match error {
        UnknownPackage::NeverSeen { .. } => NotThere(error.to_string()).into(),
        error => WrongUsage(error.to_string()).into(),
    })
}

/// Who could not say in a run whether the package is wanted there.
fn unasked(run: &Run, guest: Option<&GuestName>) -> String {
    let guests = run
        .guests
        .keys()
        .filter(|name| guest.is_none_or(|guest| guest == *name));
    let failed = guests.filter_map(|name| {
        let failure = run.failure(&Task::Scan(name.clone()))?;
        Some(format!(
            "\nGuest {name} could not be asked: {failure}. Next step: {}",
            next_step(failure)
        ))
    });
    failed.collect()
}

fn not_there(package: &Atom, index: &RunIndex) -> anyhow::Error {
    let name = package.category_package().to_string();
    NotThere(never_seen(&name, index.packages()).to_string()).into()
}
