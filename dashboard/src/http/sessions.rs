//! Who has logged in, and how often it was tried. Time is an argument.

use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;
use std::time::{Duration, Instant};

/// For how long a session lasts from its login on.
pub(super) const LASTS: Duration = Duration::from_secs(12 * 3600);
/// How many sessions there are at most. The oldest gives way.
const MOST: usize = 64;

/// In this time an address, and all of them together, may fail so often.
const WHILE: Duration = Duration::from_secs(60);
const FAILURES_OF_ONE: usize = 5;
const FAILURES_OF_ALL: usize = 30;

/// The sessions that go on, by their secret names.
#[derive(Debug, Default)]
pub(super) struct Sessions(VecDeque<(String, Instant)>);

impl Sessions {
    pub(super) fn begin(&mut self, name: String, now: Instant) {
        self.expire(now);
        if self.0.len() >= MOST {
            self.0.pop_front();
        }
        self.0.push_back((name, now));
    }

    pub(super) fn has(&mut self, name: &str, now: Instant) -> bool {
        self.expire(now);
        self.0.iter().any(|(session, _)| session == name)
    }

    pub(super) fn end(&mut self, name: &str) {
        self.0.retain(|(session, _)| session != name);
    }

    fn expire(&mut self, now: Instant) {
        self.0
            .retain(|(_, begun)| now.duration_since(*begun) < LASTS);
    }
}

/// The logins of late that failed.
#[derive(Debug, Default)]
pub(super) struct Failures(VecDeque<(IpAddr, Instant)>);

impl Failures {
    /// For how long a wrong token from this address gets no answer but this time; nothing where it gets one.
    pub(super) fn wait(&mut self, address: IpAddr, now: Instant) -> Option<Duration> {
        while self
            .0
            .front()
            .is_some_and(|(_, at)| now.duration_since(*at) >= WHILE)
        {
            self.0.pop_front();
        }
        let mut of_address: HashMap<IpAddr, usize> = HashMap::new();
        for (address, _) in &self.0 {
            *of_address.entry(*address).or_default() += 1;
        }
        let own = of_address.get(&address).copied().unwrap_or_default();
        if own < FAILURES_OF_ONE && self.0.len() < FAILURES_OF_ALL {
            return None;
        }
        let all = self.0.len() >= FAILURES_OF_ALL;
        let mut counted = self.0.iter().filter(|(of, _)| all || *of == address);
        counted
            .next()
            .map(|(_, oldest)| WHILE.saturating_sub(now.duration_since(*oldest)))
    }

    pub(super) fn note(&mut self, address: IpAddr, now: Instant) {
        self.0.push_back((address, now));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_ends_when_it_is_ended_or_old_and_the_oldest_gives_way() {
        let (mut sessions, now) = (Sessions::default(), Instant::now());
        for number in 0..MOST {
            sessions.begin(number.to_string(), now);
        }
        assert!(sessions.has("0", now));
        sessions.begin("one more".to_owned(), now + Duration::from_secs(1));
        assert!(!sessions.has("0", now) && sessions.has("1", now));
        sessions.end("1");
        assert!(!sessions.has("1", now));
        assert!(!sessions.has("2", now + LASTS));
        assert!(sessions.has("one more", now + LASTS));
    }

    #[test]
    fn who_fails_too_often_waits_and_others_do_not() {
        let (mut failures, now) = (Failures::default(), Instant::now());
        let (one, other): (IpAddr, IpAddr) = ([10, 0, 0, 1].into(), [10, 0, 0, 2].into());
        for _ in 0..FAILURES_OF_ONE {
            assert_eq!(failures.wait(one, now), None);
            failures.note(one, now);
        }
        let later = now + Duration::from_secs(20);
        assert_eq!(failures.wait(one, later), Some(Duration::from_secs(40)));
        assert_eq!(failures.wait(other, later), None);
        assert_eq!(failures.wait(one, now + WHILE), None);
    }

    #[test]
    fn many_addresses_together_have_no_more_tries_than_all_may() {
        let (mut failures, now) = (Failures::default(), Instant::now());
        let address = |number: usize| IpAddr::from([10, 0, 1, number as u8]);
        for number in 0..FAILURES_OF_ALL {
            assert_eq!(failures.wait(address(number), now), None);
            failures.note(address(number), now);
        }
        assert!(failures.wait(address(200), now).is_some());
    }
}
