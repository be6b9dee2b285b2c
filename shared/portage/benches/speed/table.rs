//! Measuring, and the table of results.

use std::fmt;
use std::hint::black_box;
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// The shortest time that `work` took in a number of rounds; the first, which warms up, not counted,
/// nor the time to drop the result.
///
/// Time of the processor, which this thread had: all that is measured runs in one thread and waits
/// for nothing, and so it is the time that it takes on an idle machine.
pub(crate) fn best_of<T>(rounds: u32, mut work: impl FnMut() -> T) -> Duration {
    best_of_each(rounds, &[()], |()| work())
}

/// The same for several inputs, one after the other in each round: the sum of the shortest time of
/// each. A processor learns a small input by heart when it is given nothing else.
pub(crate) fn best_of_each<I, T>(
    rounds: u32,
    inputs: &[I],
    mut work: impl FnMut(&I) -> T,
) -> Duration {
    let mut best = vec![Duration::MAX; inputs.len()];
    for round in 0..=rounds {
        for (input, best) in inputs.iter().zip(&mut best) {
            let start = processor_time();
            let result = black_box(work(input));
            let time = processor_time().saturating_sub(start);
            drop(result);
            if round > 0 {
                *best = time.min(*best);
            }
        }
    }
    best.iter().sum()
}

fn processor_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    let part = |value: i64| u64::try_from(value).unwrap_or_default();
    Duration::from_secs(part(time.tv_sec)) + Duration::from_nanos(part(time.tv_nsec))
}

/// What a result must keep.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Limit {
    Below(f64),
    AtLeast(f64),
}

impl Limit {
    fn is_kept(self, value: f64) -> bool {
        match self {
            Self::Below(limit) => value < limit,
            Self::AtLeast(limit) => value >= limit,
        }
    }
}

/// The results, in the order in which they were measured.
#[derive(Debug, Default)]
pub(crate) struct Table {
    lines: Vec<Line>,
}

#[derive(Debug)]
struct Line {
    what: String,
    value: f64,
    unit: &'static str,
    limit: Option<Limit>,
}

impl Table {
    /// Adds a result that must keep a limit.
    pub(crate) fn check(&mut self, what: &str, value: f64, unit: &'static str, limit: Limit) {
        self.add(what, value, unit, Some(limit));
    }

    /// Adds a result to compare others with.
    pub(crate) fn show(&mut self, what: &str, value: f64, unit: &'static str) {
        self.add(what, value, unit, None);
    }

    fn add(&mut self, what: &str, value: f64, unit: &'static str, limit: Option<Limit>) {
        let what = what.to_owned();
        self.lines.push(Line {
            what,
            value,
            unit,
            limit,
        });
    }

    /// Whether every limit is kept.
    pub(crate) fn is_kept(&self) -> bool {
        let mut limits = self
            .lines
            .iter()
            .filter_map(|line| Some((line.limit?, line.value)));
        limits.all(|(limit, value)| limit.is_kept(value))
    }
}

impl fmt::Display for Table {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            formatter,
            "{:50}{:>10} {:8}{:>14}",
            "", "result", "", "limit"
        )?;
        for Line {
            what,
            value,
            unit,
            limit,
        } in &self.lines
        {
            let verdict = |limit: &Limit| {
                if limit.is_kept(*value) {
                    "kept"
                } else {
                    "MISSED"
                }
            };
            let (limit, verdict) = match limit {
                Some(limit @ Limit::Below(bound)) => (format!("< {bound} {unit}"), verdict(limit)),
                Some(limit @ Limit::AtLeast(bound)) => {
                    (format!(">= {bound} {unit}"), verdict(limit))
                }
                None => (String::new(), ""),
            };
            let value = number(*value);
            let line = format!("{what:50}{value:>10} {unit:8}{limit:>14}  {verdict}");
            writeln!(formatter, "{}", line.trim_end())?;
        }
        Ok(())
    }
}

/// Three digits that mean something, and no more.
fn number(value: f64) -> String {
    let places = match value.abs() {
        value if value >= 100.0 => 0,
        value if value >= 10.0 => 1,
        value if value >= 1.0 => 2,
        _ => 3,
    };
    format!("{value:.places$}")
}
