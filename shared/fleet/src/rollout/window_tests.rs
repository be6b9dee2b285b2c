use super::*;

fn window(text: &str) -> Window {
    text.parse().unwrap()
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// When it is open on these days: from the opening after the first time on, as often as it opens before
/// the last one.
fn openings(text: &str, from: &str, to: &str) -> Vec<(String, String)> {
    let (window, mut now, to) = (window(text), at(from), at(to));
    let mut found = Vec::new();
    while let Some(opens) = window.next_opening(now).filter(|opens| *opens < to) {
        let closes = window.open_until(opens).unwrap();
        found.push((opens.to_string(), closes.to_string()));
        now = opens;
    }
    found
}

fn check(text: &str, from: &str, to: &str, expected: &[(&str, &str)]) {
    let found = openings(text, from, to);
    let found: Vec<(&str, &str)> = found
        .iter()
        .map(|(a, b)| (a.as_str(), b.as_str()))
        .collect();
    assert_eq!(found, expected, "{text}");
}

#[test]
fn it_is_open_from_its_first_moment_to_the_one_before_it_closes() {
    let window = window("Mon-Fri 22:00-06:00 Europe/Berlin");
    // 2026-11-27 is a Friday, 22:00 in Berlin is 21:00 UTC.
    let closes = Some(at("2026-11-28T05:00:00Z"));
    assert_eq!(window.open_until(at("2026-11-27T20:59:59.999Z")), None);
    assert_eq!(window.open_until(at("2026-11-27T21:00:00Z")), closes);
    assert_eq!(window.open_until(at("2026-11-28T04:59:59.999Z")), closes);
    assert_eq!(window.open_until(at("2026-11-28T05:00:00Z")), None);
    let monday = Some(at("2026-11-30T21:00:00Z"));
    assert_eq!(window.next_opening(at("2026-11-27T21:00:00Z")), monday);
}

#[test]
fn days_are_those_on_which_it_opens() {
    check(
        "Fri-Sat 23:30-00:30",
        "2026-11-23T00:00:00Z",
        "2026-11-30T00:00:00Z",
        &[
            ("2026-11-27T23:30:00Z", "2026-11-28T00:30:00Z"),
            ("2026-11-28T23:30:00Z", "2026-11-29T00:30:00Z"),
        ],
    );
    check(
        "Sun-Mon 00:00-24:00",
        "2026-11-28T00:00:00Z",
        "2026-12-02T00:00:00Z",
        &[
            ("2026-11-29T00:00:00Z", "2026-11-30T00:00:00Z"),
            ("2026-11-30T00:00:00Z", "2026-12-01T00:00:00Z"),
        ],
    );
    // The whole day from a time on.
    check(
        "Wed 04:00-04:00",
        "2026-11-23T00:00:00Z",
        "2026-11-30T00:00:00Z",
        &[("2026-11-25T04:00:00Z", "2026-11-26T04:00:00Z")],
    );
}

#[test]
fn what_clocks_are_set_forward_over_is_later_that_day() {
    // In Berlin 02:00 to 03:00 is left out on 2027-03-28.
    let days = ("2027-03-27T20:00:00Z", "2027-03-28T20:00:00Z");
    let cases = [
        (
            "02:15-02:45",
            "2027-03-28T01:15:00Z",
            "2027-03-28T01:45:00Z",
        ),
        (
            "01:30-02:30",
            "2027-03-28T00:30:00Z",
            "2027-03-28T01:30:00Z",
        ),
        (
            "01:00-05:00",
            "2027-03-28T00:00:00Z",
            "2027-03-28T03:00:00Z",
        ),
        // Its beginning would be after its end.
        (
            "02:30-03:15",
            "2027-03-28T01:30:00Z",
            "2027-03-28T02:15:00Z",
        ),
    ];
    for (times, opens, closes) in cases {
        let text = format!("Sun {times} Europe/Berlin");
        check(&text, days.0, days.1, &[(opens, closes)]);
    }
}

#[test]
fn what_there_is_twice_is_open_from_the_first_to_the_second() {
    // In Berlin 02:00 to 03:00 is there twice on 2026-10-25.
    let days = ("2026-10-24T20:00:00Z", "2026-10-25T20:00:00Z");
    let cases = [
        (
            "02:15-02:45",
            "2026-10-25T00:15:00Z",
            "2026-10-25T01:45:00Z",
        ),
        (
            "01:30-02:30",
            "2026-10-24T23:30:00Z",
            "2026-10-25T01:30:00Z",
        ),
        (
            "01:00-05:00",
            "2026-10-24T23:00:00Z",
            "2026-10-25T04:00:00Z",
        ),
    ];
    for (times, opens, closes) in cases {
        let text = format!("Sun {times} Europe/Berlin");
        check(&text, days.0, days.1, &[(opens, closes)]);
    }
}

#[test]
fn a_window_is_open_at_its_opening_and_at_no_time_between_its_end_and_the_next_one() {
    let texts = [
        "Mon-Fri 22:00-06:00 Europe/Berlin",
        "02:30-02:31 America/New_York",
        "Sat,Sun,Tue 00:00-24:00 Australia/Lord_Howe",
        "Thu 23:59-00:00 Asia/Kathmandu",
        "Sun 02:30-02:00 Europe/Berlin",
    ];
    for text in texts {
        let window = window(text);
        let mut now = at("2026-01-01T00:00:00Z");
        for _ in 0..400 {
            let opens = window.next_opening(now).unwrap();
            assert!(opens > now, "{text}: {now}");
            let closes = window.open_until(opens).unwrap();
            assert!(closes > opens, "{text}: {opens}");
            let last = closes.checked_sub(Span::new().nanoseconds(1)).unwrap();
            assert_eq!(window.open_until(last), Some(closes), "{text}: {last}");
            let next = window.next_opening(opens).unwrap();
            if next > closes {
                assert_eq!(window.open_until(closes), None, "{text}: {closes}");
            }
            now = opens;
        }
    }
}

#[test]
fn it_is_written_as_it_is_read() {
    let cases = [
        (
            "Mon-Fri 22:00-06:00 Europe/Berlin",
            "Mon,Tue,Wed,Thu,Fri 22:00-06:00 Europe/Berlin",
        ),
        ("fri-MON 00:00-24:00", "Mon,Fri,Sat,Sun 00:00-24:00 UTC"),
        ("  01:00-02:00   UTC ", "01:00-02:00 UTC"),
        ("Mon-Sun 01:00-02:00", "01:00-02:00 UTC"),
    ];
    for (text, written) in cases {
        let window = window(text);
        assert_eq!(window.to_string(), written);
        assert_eq!(written.parse(), Ok(window));
    }
}

#[test]
fn what_is_no_window_says_why_and_how_one_is_written() {
    let cases = [
        ("", "it has no times"),
        ("Mon", "it has no times"),
        ("Mon 22:00", "it has no times"),
        (
            "Moon 22:00-23:00",
            "\"Moon\" is none of Mon Tue Wed Thu Fri Sat Sun",
        ),
        ("Mon-Fri, 22:00-23:00", "\"\" is none of"),
        ("22:00-6:00", "\"6:00\" is no time from 00:00 to 24:00"),
        ("22:00-24:01", "\"24:01\" is no time"),
        ("22:60-23:00", "\"22:60\" is no time"),
        ("24:00-02:00", "it opens at the end of a day"),
        ("22:00-23:00 UTC now", "\"now\" is one word too many"),
    ];
    for (text, why) in cases {
        let error = text.parse::<Window>().unwrap_err().to_string();
        assert!(error.contains(why), "{error}");
        assert!(
            error.contains("Mon-Fri 22:00-06:00 Europe/Berlin"),
            "{error}"
        );
    }
}

#[test]
fn a_zone_that_nobody_knows_is_never_open() {
    let window = window("00:00-24:00 Europe/Nowhere");
    assert!(!window.has_known_zone());
    assert_eq!(window.open_until(at("2026-11-27T12:00:00Z")), None);
    assert_eq!(window.next_opening(at("2026-11-27T12:00:00Z")), None);
}
