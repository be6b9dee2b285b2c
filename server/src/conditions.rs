//! What of a file is sent, by the conditions of a request (RFC 9110, sections 13 and 14). Pure.

use std::ops::RangeInclusive;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::http::HeaderMap;
use axum::http::header::{IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_RANGE, RANGE, USER_AGENT};
use headers::{ETag, HeaderMapExt, IfNoneMatch};
use http_range_header::{EndPosition, StartPosition, SyntacticallyCorrectRange};

/// Portage asks with this name, and adds so many seconds to the TIMESTAMP of the index that it has
/// (`portage/util/_urlopen.py`, `TIMESTAMP_TOLERANCE`).
const PORTAGE: &str = "Gentoo Portage";
const PORTAGE_ADDS: Duration = Duration::from_secs(5);

/// What is sent of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Part {
    /// All of it.
    All,
    /// These bytes, the last one included.
    Bytes(RangeInclusive<u64>),
    /// Nothing: it has no such bytes.
    Unsatisfiable,
    /// Nothing: the client has it.
    NotModified,
}

/// Which part of a file of this length, time and tag a request gets at this time. Several ranges at
/// once are answered with all of it, which RFC 9110 allows (section 14.2).
pub(crate) fn part(
    headers: &HeaderMap,
    length: u64,
    modified: SystemTime,
    tag: &ETag,
    now: SystemTime,
) -> Part {
    if is_known(headers, modified, tag) {
        return Part::NotModified;
    }
    let range = headers.get(RANGE).and_then(|range| range.to_str().ok());
    let range = range.filter(|_| is_of_the_same(headers, modified, tag, now));
    let Some(Ok(range)) = range.map(http_range_header::parse_range_header) else {
        return Part::All;
    };
    match range.ranges.as_slice() {
        [one] => cut(*one, length),
        _ => Part::All,
    }
}

/// The bytes of a range that a file of this length has. More than there is at its end is all up to
/// the end (RFC 9110, section 14.1.2).
fn cut(range: SyntacticallyCorrectRange, length: u64) -> Part {
    let Some(last) = length.checked_sub(1) else {
        return Part::Unsatisfiable;
    };
    let (start, end) = match (range.start, range.end) {
        (StartPosition::Index(start), EndPosition::Index(end)) => (start, end.min(last)),
        (StartPosition::Index(start), EndPosition::LastByte) => (start, last),
        (StartPosition::FromLast(bytes), _) => (length.saturating_sub(bytes), last),
    };
    match start <= end {
        true => Part::Bytes(start..=end),
        false => Part::Unsatisfiable,
    }
}

/// Whether the client has it already.
fn is_known(headers: &HeaderMap, modified: SystemTime, tag: &ETag) -> bool {
    if headers.contains_key(IF_NONE_MATCH) {
        // Which goes before the time.
        let tags = headers.typed_get::<IfNoneMatch>();
        return tags.is_some_and(|tags| !tags.precondition_passes(tag));
    }
    let since = headers.get(IF_MODIFIED_SINCE);
    let since = since.and_then(|since| httpdate::parse_http_date(since.to_str().ok()?).ok());
    let Some(mut since) = since else {
        return false;
    };
    let agent = headers
        .get(USER_AGENT)
        .and_then(|agent| agent.to_str().ok());
    if agent.is_some_and(|agent| agent.starts_with(PORTAGE)) {
        // Or an index that was written within these seconds would be taken for the one it has.
        since = since.checked_sub(PORTAGE_ADDS).unwrap_or(UNIX_EPOCH);
    }
    in_seconds(modified) <= since
}

/// Whether a range may be cut out of what is there now: it continues what the client has.
fn is_of_the_same(headers: &HeaderMap, modified: SystemTime, tag: &ETag, now: SystemTime) -> bool {
    let Some(condition) = headers.get(IF_RANGE) else {
        return true;
    };
    let Ok(condition) = condition.to_str() else {
        return false;
    };
    if condition.starts_with('"') {
        return condition
            .parse::<ETag>()
            .is_ok_and(|condition| condition == *tag);
    }
    // A time says nothing of what changes within its second (RFC 9110, section 8.8.2.2).
    let is_settled = |time: &SystemTime| *time + Duration::from_secs(1) < now;
    let time = httpdate::parse_http_date(condition).ok().filter(is_settled);
    time.is_some_and(|time| time == in_seconds(modified))
}

/// Times have whole seconds in HTTP.
fn in_seconds(time: SystemTime) -> SystemTime {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    UNIX_EPOCH + Duration::from_secs(since.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    const LENGTH: u64 = 1000;

    fn at(seconds: u64) -> SystemTime {
        UNIX_EPOCH + Duration::from_millis(seconds * 1000 + 250)
    }

    fn date(seconds: u64) -> String {
        httpdate::fmt_http_date(at(seconds))
    }

    /// Of a file of 1000 bytes that was written at 5000.25 s, asked for at 9000 s.
    fn asked(headers: &[(&'static str, &str)]) -> Part {
        asked_at(headers, at(9000))
    }

    fn asked_at(headers: &[(&'static str, &str)], now: SystemTime) -> Part {
        let map = headers.iter().map(|(name, value)| {
            let name: axum::http::HeaderName = name.parse().unwrap();
            (name, value.parse().unwrap())
        });
        part(
            &map.collect(),
            LENGTH,
            at(5000),
            &"\"tag\"".parse().unwrap(),
            now,
        )
    }

    #[test]
    fn a_range_is_cut_to_what_is_there() {
        for (range, expected) in [
            ("bytes=0-0", Part::Bytes(0..=0)),
            ("bytes=10-19", Part::Bytes(10..=19)),
            ("bytes=990-", Part::Bytes(990..=999)),
            ("bytes=-10", Part::Bytes(990..=999)),
            ("bytes=-5000", Part::Bytes(0..=999)),
            ("bytes=-0", Part::All),
            ("bytes=990-5000", Part::Bytes(990..=999)),
            ("bytes=1000-", Part::Unsatisfiable),
            ("bytes=5000-6000", Part::Unsatisfiable),
            ("bytes=0-1,5-6", Part::All),
            ("bytes=9-1", Part::Unsatisfiable),
            ("bytes=a-b", Part::All),
            ("lines=1-2", Part::All),
            ("bytes=99999999999999999999999-", Part::All),
        ] {
            assert_eq!(asked(&[("range", range)]), expected, "{range}");
        }
        assert_eq!(asked(&[]), Part::All);
    }

    #[test]
    fn a_range_of_what_is_there_no_more_is_all_of_what_is() {
        let cut = Part::Bytes(10..=19);
        for (condition, expected) in [
            ("\"tag\"", cut.clone()),
            ("\"other\"", Part::All),
            ("W/\"tag\"", Part::All),
            (&date(5000), cut.clone()),
            (&date(4999), Part::All),
            (&date(5001), Part::All),
            ("nonsense", Part::All),
        ] {
            let headers = [("range", "bytes=10-19"), ("if-range", condition)];
            assert_eq!(asked(&headers), expected, "{condition}");
        }
        let headers = [("range", "bytes=10-19"), ("if-range", &date(5000))];
        assert_eq!(asked_at(&headers, at(5000)), Part::All, "it may change yet");
        assert_eq!(asked_at(&headers, at(5002)), cut);
    }

    #[test]
    fn what_the_client_has_is_not_sent_again() {
        let since = |seconds| asked(&[("if-modified-since", &date(seconds))]);
        assert_eq!(since(4999), Part::All);
        assert_eq!(since(5000), Part::NotModified);
        assert_eq!(since(5001), Part::NotModified);
        assert_eq!(asked(&[("if-modified-since", "once")]), Part::All);
        assert_eq!(asked(&[("if-none-match", "\"tag\"")]), Part::NotModified);
        assert_eq!(asked(&[("if-none-match", "W/\"tag\"")]), Part::NotModified);
        assert_eq!(asked(&[("if-none-match", "*")]), Part::NotModified);
        let both = [
            ("if-none-match", "\"other\""),
            ("if-modified-since", &date(6000)),
        ];
        assert_eq!(asked(&both), Part::All, "the tag goes before the time");
    }

    #[test]
    fn an_index_that_changed_just_after_portage_has_read_it_is_sent() {
        let asked = |timestamp: u64| {
            // As Portage asks that has the index of this TIMESTAMP.
            let since = date(timestamp + 5);
            asked(&[("user-agent", PORTAGE), ("if-modified-since", &since)])
        };
        assert_eq!(asked(5000), Part::NotModified);
        assert_eq!(asked(4999), Part::All);
        assert_eq!(asked(4996), Part::All);
    }
}
