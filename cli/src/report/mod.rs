//! `report`: what came of a run.

mod arguments;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use gentoo_updater_fleet::config::Settings;
use gentoo_updater_fleet::name::GuestName;
use gentoo_updater_fleet::report::Report;
use gentoo_updater_fleet::report::outline::Outline;
use jiff::Timestamp;
use serde::Serialize;

use self::arguments::Format;
use crate::NotThere;
use crate::notices::Notices;
use crate::open;
use crate::output;
use crate::standing;

pub(crate) use arguments::ReportOptions;

/// The document of `report --json`: the report, and what stands in the way of all runs.
#[derive(Debug, Serialize)]
struct ReportDocument<'a> {
    #[serde(flatten)]
    report: &'a Report,
    fleet: &'a Notices,
}

/// Writes the report of one run as it stands.
pub(crate) async fn report(
    settings: &Arc<Settings>,
    options: &ReportOptions,
) -> anyhow::Result<u8> {
    let is_json = options.wanted() == Format::Json;
    let Some(opened) = open::to_look(settings).await? else {
        return match &options.run {
            None => crate::nothing_to_tell(settings, is_json),
            Some(name) => Err(standing::no_such_run(name)),
        };
    };
    let looked = standing::look(settings, &opened, options.run.as_ref()).await;
    opened.bus.close().await;
    let standing::Standing { fleet, notices } = looked?;
    let run = match &options.run {
        Some(name) => Some(
            name.find(&fleet)
                .ok_or_else(|| standing::no_such_run(name))?,
        ),
        None => {
            let of_guest = options
                .guest
                .as_ref()
                .and_then(|name| fleet.newest_of(name));
            of_guest.or_else(|| fleet.newest())
        }
    };
    let Some(run) = run else {
        if options.wanted() == Format::Text {
            print(&notices.to_text())?;
        }
        return crate::no_run_yet(is_json);
    };
    let report = Report::of(&fleet, run).at(&fleet, Timestamp::now());
    let is_over = report.is_over();
    write(report, &notices, options)?;
    if !is_over && !open::is_worked_on(settings).await {
        eprintln!("Nobody works on it: `gentoo-updater run` goes on with it.");
    }
    Ok(crate::EXIT_DONE)
}

fn write(mut report: Report, notices: &Notices, options: &ReportOptions) -> anyhow::Result<()> {
    let outline = match &options.guest {
        None => report.outline(),
        Some(name) => of_guest(&report, name)?,
    };
    match options.wanted() {
        Format::Text => print(&format!("{}{}", notices.to_text(), outline.to_text())),
        Format::Markdown => print(&outline.with_notices(&notices.lines()).to_markdown()),
        Format::Html => print(&outline.with_notices(&notices.lines()).to_html()),
        Format::Json => {
            if let Some(name) = &options.guest {
                report.keep_only(name);
            }
            output::print_json(&ReportDocument {
                report: &report,
                fleet: notices,
            })
        }
    }
}

fn of_guest(report: &Report, name: &GuestName) -> anyhow::Result<Outline> {
    report.outline_of_guest(name).ok_or_else(|| {
        let names: Vec<&str> = report.guests.keys().map(GuestName::as_str).collect();
        let names = names.join(", ");
        let message = format!("run {} has no guest {name}; it has {names}", report.run);
        NotThere(message).into()
    })
}

fn print(text: &str) -> anyhow::Result<()> {
    output::print(|output| output.write_all(text.as_bytes()))
}
