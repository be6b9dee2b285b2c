//! `schedule list`.

use std::fmt::Write as _;
use std::sync::Arc;

use gentoo_updater_bus::follow::FleetView;
use gentoo_updater_fleet::config::Settings;
use gentoo_updater_fleet::name::ScheduleName;
use gentoo_updater_fleet::schedule::{Blocker, ScheduleView, SchedulesView, missed_words};
use gentoo_updater_fleet::state::Fleet;
use gentoo_updater_fleet::words::because;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use tokio_util::sync::CancellationToken;

use crate::open;
use crate::output;

/// How many lines there are at most of what one schedule has missed.
const SHOWN_MISSED: usize = 3;

/// Shows all schedules.
pub(super) async fn list(settings: &Arc<Settings>, json: bool) -> anyhow::Result<u8> {
    let fleet = match open::read_only(settings).await? {
        Some(bus) => {
            let view = FleetView::follow(bus.clone(), CancellationToken::new()).await;
            let fleet = view.map(|view| view.read(Fleet::clone));
            bus.close().await;
            fleet?
        }
        // What comes next is known before anything has happened.
        None => Fleet::default(),
    };
    let now = Timestamp::now();
    let view = SchedulesView::of(settings, &fleet, now);
    if json {
        output::print_json(&view)?;
    } else {
        let text = output::harmless(&text(&view));
        output::print(|output| output.write_all(text.as_bytes()))?;
    }
    let unknown = view.schedules.iter().filter(|(_, view)| !view.adopted);
    let unknown: Vec<&str> = unknown.map(|(name, _)| name.as_str()).collect();
    if !unknown.is_empty() {
        let who = match settings.broker {
            Some(_) => "gentoo-updater-scheduler",
            None => "`gentoo-updater schedule serve`",
        };
        eprintln!(
            "No scheduler has taken up {} as it is configured now: start {who}, or start it again.",
            unknown.join(", ")
        );
    }
    Ok(crate::EXIT_DONE)
}

fn text(view: &SchedulesView) -> String {
    let head = ["SCHEDULE", "CALENDAR", "BEGINS", "LAST RUN"].map(str::to_owned);
    let rows = view.schedules.iter().map(|(name, view)| row(name, view));
    let rows: Vec<[String; 4]> = std::iter::once(head).chain(rows).collect();
    let mut text = output::table(&rows);
    for pause in &view.paused {
        let (target, by) = (&pause.target, &pause.by);
        let (reason, next_step) = (because(pause.reason.as_deref()), pause.next_step());
        // Writing to a String cannot fail.
        let _ = writeln!(
            text,
            "Nothing begins: {by} has paused {target}{reason}; {next_step}"
        );
    }
    for (name, view) in &view.schedules {
        // Writing to a String cannot fail.
        let _ = notes(&mut text, name, view);
    }
    text
}

fn row(name: &ScheduleName, view: &ScheduleView) -> [String; 4] {
    let zone = TimeZone::get(&view.time_zone).unwrap_or(TimeZone::UTC);
    let shown = |at: Timestamp| {
        let at = at.to_zoned(zone.clone());
        at.strftime("%a %Y-%m-%d %H:%M:%S").to_string()
    };
    let next = view.next.as_ref();
    let last = view.last.as_ref().map(|last| {
        let outcome = match last.outcome {
            "with_failures" => "with failures",
            "goes_on" => "goes on",
            other => other,
        };
        format!("{} of {}: {outcome}", last.run.short(), shown(last.at))
    });
    [
        name.to_string(),
        format!("{} {}", view.calendar, view.time_zone),
        next.map_or_else(|| "-".to_owned(), |next| shown(next.begins)),
        last.unwrap_or_else(|| "-".to_owned()),
    ]
}

fn notes(out: &mut String, name: &ScheduleName, view: &ScheduleView) -> std::fmt::Result {
    if let Some(waiting) = &view.waiting {
        let what = match waiting.blocker {
            Blocker::Paused => {
                "the scheduler is paused (`gentoo-updater resume scheduler`)".to_owned()
            }
            Blocker::RunGoesOn { run } => format!("run {} goes on", run.short()),
            Blocker::OutsideWindows { opens } => {
                format!("its window opens {}", opens.strftime("%Y-%m-%d %H:%M UTC"))
            }
        };
        let until = waiting.until.strftime("%Y-%m-%d %H:%M UTC");
        writeln!(
            out,
            "{name} is due and waits, until {until} at most: {what}"
        )?;
    }
    for missed in view.missed.iter().take(SHOWN_MISSED) {
        writeln!(out, "{}", missed_words(&missed.occurrences))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use gentoo_updater_fleet::message::{MissedCause, OccurrencesMissed, PauseTarget, Role};
    use gentoo_updater_fleet::name::RunId;
    use gentoo_updater_fleet::report::PauseReport;
    use gentoo_updater_fleet::schedule::{LastRun, NextOccurrence, WaitingView};
    use gentoo_updater_fleet::state::Missed;
    use uuid::Uuid;

    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn view() -> SchedulesView {
        let name: ScheduleName = "nightly".parse().unwrap();
        let run = RunId(Uuid::from_u128(0x0190_0000_0000_7000_8000_0000_0000_0001));
        let missed = OccurrencesMissed {
            schedule: name.clone(),
            first: at("2026-01-03T02:30:00Z"),
            last: at("2026-01-04T02:30:00Z"),
            count: 2,
            cause: MissedCause::NobodyThere,
        };
        let view = ScheduleView {
            calendar: "30 3 * * *".to_owned(),
            time_zone: "Europe/Berlin".to_owned(),
            adopted: true,
            next: Some(NextOccurrence {
                at: at("2026-01-07T02:30:00Z"),
                begins: at("2026-01-07T02:41:07Z"),
            }),
            waiting: Some(WaitingView {
                at: at("2026-01-06T02:30:00Z"),
                until: at("2026-01-06T03:30:00Z"),
                blocker: Blocker::RunGoesOn { run },
            }),
            last: Some(LastRun {
                at: at("2026-01-05T02:30:00Z"),
                run,
                outcome: "goes_on",
                finished_at: None,
            }),
            missed: vec![Missed {
                occurrences: missed,
                told_at: at("2026-01-04T08:00:00Z"),
            }],
        };
        SchedulesView {
            schedules: [(name, view)].into(),
            paused: Vec::new(),
        }
    }

    #[test]
    fn what_comes_what_waits_and_what_was_missed_is_shown() {
        assert_eq!(
            text(&view()),
            "SCHEDULE  CALENDAR                  BEGINS                   LAST RUN\n\
             nightly   30 3 * * * Europe/Berlin  Wed 2026-01-07 03:41:07  000000000001 of Mon 2026-01-05 \
             03:30:00: goes on\n\
             nightly is due and waits, until 2026-01-06 03:30 UTC at most: run 000000000001 goes on\n\
             nightly missed 2 runs, the last one of 2026-01-04 02:30 UTC: no scheduler was there in time\n"
        );
    }

    #[test]
    fn a_pause_is_shown_with_what_ends_it() {
        let pause = PauseReport {
            target: PauseTarget::Role(Role::Scheduler),
            by: "operator@desk".parse().unwrap(),
            since: at("2026-01-05T08:00:00Z"),
            reason: Some("holidays".to_owned()),
        };
        let view = SchedulesView {
            paused: vec![pause],
            ..view()
        };
        let text = text(&view);
        assert!(
            text.contains(
                "\nNothing begins: operator@desk has paused every scheduler: holidays; \
                 `gentoo-updater resume scheduler` ends that\n"
            ),
            "{text}"
        );
    }

    #[test]
    fn programs_are_told_the_same() {
        crate::testing::golden("schedule-list", &view());
    }
}
