//! What the configuration says of how updates reach guests, in words. Pure.

use std::collections::BTreeSet;

use gentoo_updater_fleet::config::{Guest, Settings};
use gentoo_updater_fleet::name::CheckName;
use gentoo_updater_fleet::rollout::{Wave, Window};
use gentoo_updater_fleet::words::guests_failed;

/// What shows that a guest is well, and what becomes of it when it is not.
pub(super) fn of_guest(guest: &Guest) -> String {
    let names: Vec<&str> = guest
        .checks
        .iter()
        .map(|check| check.name.as_str())
        .collect();
    match (names.as_slice(), guest.rollback) {
        ([], false) => String::new(),
        ([], true) => ", keeps what it had before updates".to_owned(),
        (names, true) => format!(", checked by {}, put back when one fails", names.join(" ")),
        (names, false) => format!(", checked by {}, NOT put back", names.join(" ")),
    }
}

/// The waves, and what may be not as it was meant.
pub(super) fn lines(settings: &Settings) -> Vec<String> {
    let rollout = settings.rollout(settings.guests.keys());
    let mut lines = Vec::new();
    let limits = [
        rollout
            .budget
            .map(|most| format!("nothing more is begun once {}", guests_failed(most))),
        rollout
            .at_once
            .map(|most| format!("at most {most} guests at once")),
    ];
    let limits: Vec<String> = limits.into_iter().flatten().collect();
    if !limits.is_empty() {
        lines.push(format!("  rollout: {}", limits.join(", ")));
    }
    lines.extend(
        rollout
            .waves
            .iter()
            .map(|wave| format!("  wave {}: {}", wave.name, of_wave(wave))),
    );
    for (guest, windows) in &rollout.windows {
        lines.push(format!(
            "  guest {guest} in its own windows: {}",
            of_windows(windows)
        ));
    }
    lines.extend(doubts(settings));
    lines
}

fn of_wave(wave: &Wave) -> String {
    let guests: Vec<&str> = wave.guests.iter().map(|name| name.as_str()).collect();
    let (shown, left) = guests.split_at(guests.len().min(8));
    let mut words = vec![match left.len() {
        0 => shown.join(" "),
        left => format!("{} and {left} more", shown.join(" ")),
    }];
    if wave.needs_approval {
        words.push("waits for an approval".to_owned());
    }
    if let Some(most) = wave.at_once {
        words.push(format!("at most {most} at once"));
    }
    if !wave.windows.is_empty() {
        words.push(of_windows(&wave.windows));
    }
    if wave.soak_seconds > 0 {
        words.push(format!("then {} min of soak", wave.soak_seconds / 60));
    }
    words.join(", ")
}

pub(super) fn of_windows(windows: &[Window]) -> String {
    let windows: Vec<String> = windows.iter().map(Window::to_string).collect();
    windows.join("; ")
}

/// What is right and may still be a mistake.
fn doubts(settings: &Settings) -> Vec<String> {
    let mut doubts = Vec::new();
    let guests = settings.guests.values();
    let used: BTreeSet<&CheckName> = guests
        .flat_map(|guest| guest.checks.iter().map(|check| &check.name))
        .collect();
    for name in settings.checks.keys().filter(|name| !used.contains(name)) {
        doubts.push(format!("  ! no guest has the check {name}"));
    }
    let lacking = settings
        .guests
        .values()
        .filter(|guest| guest.checks.is_empty());
    let lacking = lacking.count();
    if !settings.checks.is_empty() && lacking > 0 {
        doubts.push(format!("  ! guests without a check: {lacking}"));
    }
    doubts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(text: &str) -> Settings {
        let machines = r#"
            [builders.b1]
            address = "local"
            [guests.db]
            address = "ssh://root@db"
            [guests.web]
            address = "ssh://root@web"
            checks = ["page"]
        "#;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("fleet.toml");
        std::fs::write(&path, format!("{text}{machines}")).unwrap();
        gentoo_updater_fleet::config::load(&path).unwrap()
    }

    #[test]
    fn waves_and_what_is_missing_are_said() {
        let text = r#"
            [checks.page]
            http = "http://127.0.0.1/"
            [checks.unused]
            tcp = "22"
            [rollout]
            windows = ["Mon-Fri 22:00-06:00 Europe/Berlin"]
            [[rollout.waves]]
            name = "canary"
            guests = ["web"]
            soak_minutes = 60
            needs_approval = true
        "#;
        let settings = settings(text);
        let lines = lines(&settings);
        assert_eq!(
            lines[0],
            "  rollout: nothing more is begun once 1 guest has failed"
        );
        assert!(
            lines[1].starts_with("  wave canary: web, waits for an approval, "),
            "{lines:#?}"
        );
        assert!(lines[1].ends_with("then 60 min of soak"), "{lines:#?}");
        assert!(lines[2].starts_with("  wave others: db"), "{lines:#?}");
        let doubts = lines[3..].join("\n");
        for words in ["no guest has the check unused", "guests without a check: 1"] {
            assert!(doubts.contains(words), "{words}: {doubts}");
        }
        let web = settings
            .guests
            .values()
            .find(|guest| !guest.checks.is_empty())
            .unwrap();
        assert_eq!(of_guest(web), ", checked by page, put back when one fails");
    }
}
