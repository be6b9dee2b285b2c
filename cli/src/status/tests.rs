use std::collections::BTreeSet;

use clap::Parser;
use clap::error::ErrorKind;
use gentoo_updater_fleet::inspect::{BusStatus, StatusView};
use gentoo_updater_fleet::message::{DurationsLearned, Event, Failure, FailureClass};
use gentoo_updater_fleet::remedy::{known_causes, next_step};

use super::StatusDocument;
use super::screen::{Line, Size, screen};
use crate::arguments::Arguments;
use crate::notices::Notices;
use crate::testing::{
    batch, built, claimed, event, failed, fleet, golden, golden_text, job_of_batch, now,
};

const ALIVE: BusStatus = BusStatus::Process { lives: true };

/// A run in which something was built, is built and failed.
fn at_work() -> StatusView {
    let mut events: Vec<(i64, Event)> = batch().into_iter().map(|event| (600, event)).collect();
    let state = fleet(&events);
    let durations = [("a/lib", 60_000), ("a/doc", 900_000)];
    let learnt = DurationsLearned {
        builder: "b1".parse().unwrap(),
        durations: durations
            .map(|(name, ms)| (name.parse().unwrap(), ms))
            .into(),
    };
    events.push((590, Event::DurationsLearned(learnt)));
    events.push((400, built(&job_of_batch(&state, "a/lib-2"), 65_000)));
    events.push((300, claimed(&job_of_batch(&state, "a/doc-1"))));
    events.push((200, failed(&job_of_batch(&state, "b/gen-1"))));
    events.push((100, event("PauseRequested")));
    let fleet = fleet(&events);
    StatusView::of(&fleet, &ALIVE, now(), &BTreeSet::new())
}

#[test]
fn guests_that_no_run_was_about_are_shown_with_what_asks_them() {
    let mut view = at_work();
    let lines = words(&screen(&view, &[], super::PLAIN));
    assert!(!lines.contains("Not in the newest runs"), "{lines}");
    view.unheard = vec!["mail".parse().unwrap(), "git".parse().unwrap()];
    let lines = words(&screen(&view, &[], super::PLAIN));
    let expected = "Not in the newest runs: `gentoo-updater scan` asks how they are 2: mail git";
    assert!(lines.contains(expected), "{lines}");
}

fn text(lines: &[Line]) -> String {
    lines
        .iter()
        .map(|line| format!("{}\n", line.text))
        .collect()
}

/// The words of a screen, wherever its lines end.
fn words(lines: &[Line]) -> String {
    let text = text(lines);
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn an_ordinary_fleet_fits_a_small_screen() {
    let view = at_work();
    let lines = screen(&view, &[], super::PLAIN);
    golden_text("status.txt", &text(&lines));
    assert!(lines.len() <= 24, "{}", lines.len());
    let widest = lines.iter().map(|line| line.text.chars().count()).max();
    assert!(widest <= Some(80), "{widest:?}");
    let notices = Notices::of(
        &gentoo_updater_bus::Health::Good,
        None,
        0,
        &Default::default(),
    );
    golden(
        "status",
        &StatusDocument {
            status: &view,
            fleet: &notices,
        },
    );
}

#[test]
fn what_does_not_fit_is_left_out_and_that_is_said() {
    let mut view = at_work();
    let failure = view.failures[0].clone();
    view.failures = vec![failure; 40];
    let notice = "THE BROKER TAKES NO MESSAGES (low on memory): nothing goes on".to_owned();
    for (width, height) in [(80, 24), (60, 30), (200, 20)] {
        let size = Size {
            width,
            height: Some(height),
        };
        let lines = screen(&view, std::slice::from_ref(&notice), size);
        assert!(lines.len() <= height, "{}", text(&lines));
        let words = words(&lines);
        for part in [
            "THE BROKER",
            "Run 000000000001",
            "build a/doc-1",
            "more: `gentoo-updater report`",
        ] {
            assert!(words.contains(part), "{part}: {}", text(&lines));
        }
        assert!(lines.iter().all(|line| line.text.chars().count() <= width));
    }
    let whole = screen(
        &view,
        &[],
        Size {
            width: 80,
            height: None,
        },
    );
    assert!(!words(&whole).contains("more:"), "{}", text(&whole));
    // Even where it is hopeless nothing breaks.
    let size = Size {
        width: 1,
        height: Some(1),
    };
    assert!(!screen(&view, &[], size).is_empty());
}

/// Whatever stands in a message, the screen obeys none of it.
#[test]
fn words_of_machines_command_no_terminal() {
    let mut view = at_work();
    view.failures[0].failure.message = "\u{1b}[2J\u{7}\nrm".to_owned();
    let lines = screen(&view, &["\u{1b}]0;x".to_owned()], super::PLAIN);
    assert!(
        lines
            .iter()
            .all(|line| !line.text.chars().any(char::is_control))
    );
}

#[test]
fn each_cause_is_shown_with_its_next_step() {
    let view = at_work();
    for cause in known_causes() {
        let mut one = view.clone();
        one.failures.truncate(1);
        let told = &mut one.failures[0];
        told.failure = Failure::new(FailureClass::Permanent, cause, "so it happened");
        told.next_step = next_step(&told.failure);
        let next = told.next_step;
        let shown = words(&screen(&one, &[], super::PLAIN));
        for part in [cause, "so it happened", next] {
            assert!(shown.contains(part), "no {part:?} in {shown}");
        }
    }
}

/// The commands that next steps name are commands of this program.
#[test]
fn each_command_of_a_next_step_is_one() {
    let steps: BTreeSet<&str> = known_causes()
        .map(|cause| next_step(&Failure::new(FailureClass::Permanent, cause, "")))
        .collect();
    let quoted = steps
        .iter()
        .flat_map(|step| step.split('`').skip(1).step_by(2));
    let commands: BTreeSet<&str> = quoted
        .filter(|code| code.starts_with("gentoo-updater "))
        .collect();
    assert!(commands.len() > 10, "{commands:?}");
    for command in commands {
        let command = command.replace("FILE", "/dev/null").replace("NAME", "web");
        // Some name only the command, and leave to the reader what it is about.
        if let Err(error) = Arguments::try_parse_from(command.split(' ')) {
            let is_short = matches!(
                error.kind(),
                ErrorKind::MissingRequiredArgument
                    | ErrorKind::MissingSubcommand
                    | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand
            );
            assert!(is_short, "{command}: {error}");
        }
    }
}
