//! What the kernel says of this process (proc(5)), under the names that every client library of
//! Prometheus gives it (<https://prometheus.io/docs/instrumenting/writing_clientlibs/#process-metrics>).

use std::fs;

use gentoo_updater_telemetry::{Metric, Sample};
use rustix::param::{clock_ticks_per_second, page_size};

use super::meters::{
    CPU_SECONDS, MAX_FDS, OPEN_FDS, RESIDENT_BYTES, START_TIME, THREADS, VIRTUAL_BYTES,
};

/// What can be read; what cannot is left out.
pub(super) fn samples() -> Vec<Sample> {
    let read = |path| fs::read_to_string(path).unwrap_or_default();
    let stat = parse_stat(&read("/proc/self/stat"));
    let boot = parse_boot_time(&read("/proc/stat"));
    #[expect(clippy::cast_precision_loss, reason = "both are small")]
    let (ticks, page) = (clock_ticks_per_second() as f64, page_size() as f64);
    let stat = stat.as_ref();
    let start = stat.zip(boot);
    let sample = |metric: &'static Metric, value: Option<f64>| {
        let value = value?;
        Some(Sample { metric, value })
    };
    let all = [
        sample(&CPU_SECONDS, stat.map(|stat| stat.cpu_ticks / ticks)),
        sample(
            &START_TIME,
            start.map(|(stat, boot)| boot + stat.start_ticks / ticks),
        ),
        sample(&RESIDENT_BYTES, stat.map(|stat| stat.resident_pages * page)),
        sample(&VIRTUAL_BYTES, stat.map(|stat| stat.virtual_bytes)),
        sample(&OPEN_FDS, open_files()),
        sample(&MAX_FDS, parse_most_files(&read("/proc/self/limits"))),
        sample(&THREADS, stat.map(|stat| stat.threads)),
    ];
    all.into_iter().flatten().collect()
}

/// What `/proc/self/stat` says, in its own units.
#[derive(Debug, PartialEq)]
struct Stat {
    cpu_ticks: f64,
    threads: f64,
    start_ticks: f64,
    virtual_bytes: f64,
    resident_pages: f64,
}

fn parse_stat(text: &str) -> Option<Stat> {
    // The name of the program stands in brackets and may have any.
    let (_, fields) = text.rsplit_once(')')?;
    let fields: Vec<&str> = fields.split_ascii_whitespace().collect();
    // proc(5) counts from 1, and the third field is the first behind the name.
    let field = |number: usize| fields.get(number - 3)?.parse::<f64>().ok();
    Some(Stat {
        cpu_ticks: field(14)? + field(15)?,
        threads: field(20)?,
        start_ticks: field(22)?,
        virtual_bytes: field(23)?,
        resident_pages: field(24)?,
    })
}

fn parse_boot_time(text: &str) -> Option<f64> {
    let mut lines = text.lines();
    lines
        .find_map(|line| line.strip_prefix("btime "))?
        .trim()
        .parse()
        .ok()
}

/// The limit that holds now, which is the first number of its line.
fn parse_most_files(text: &str) -> Option<f64> {
    let mut lines = text.lines();
    let limits = lines.find_map(|line| line.strip_prefix("Max open files"))?;
    match limits.split_ascii_whitespace().next()? {
        "unlimited" => Some(f64::INFINITY),
        limit => limit.parse().ok(),
    }
}

fn open_files() -> Option<f64> {
    // One of them is open to look.
    let open = fs::read_dir("/proc/self/fd").ok()?.count().checked_sub(1)?;
    u32::try_from(open).ok().map(f64::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_whose_name_has_brackets_and_spaces_is_read() {
        let text = "42 (a) b (c) S 1 42 42 0 -1 4194560 2110 0 0 0 150 50 0 0 20 0 7 0 8825 \
                    1163264 500 18446744073709551615 1 1";
        let stat = Stat {
            cpu_ticks: 200.0,
            threads: 7.0,
            start_ticks: 8825.0,
            virtual_bytes: 1_163_264.0,
            resident_pages: 500.0,
        };
        assert_eq!(parse_stat(text), Some(stat));
        assert_eq!(parse_stat("42 (a"), None);
        assert_eq!(parse_stat("42 (a) S 1"), None);
    }

    #[test]
    fn a_limit_is_the_one_that_holds_now() {
        let text = "Limit  Soft Limit  Hard Limit  Units\nMax open files   1024   524288   files\n";
        assert_eq!(parse_most_files(text), Some(1024.0));
        let unlimited = text.replace("1024", "unlimited");
        assert_eq!(parse_most_files(&unlimited), Some(f64::INFINITY));
        assert_eq!(parse_most_files(""), None);
    }

    #[test]
    fn this_process_has_all_of_them_and_has_begun_before_now() {
        let samples = samples();
        assert_eq!(samples.len(), 7, "{samples:?}");
        let of = |metric: &Metric| {
            let mut named = samples.iter().filter(|s| s.metric.name == metric.name);
            named.next().map(|sample| sample.value).unwrap()
        };
        let now = jiff::Timestamp::now().as_duration().as_secs_f64();
        let age = now - of(&START_TIME);
        // The kernel tells the time of its start in whole seconds.
        assert!((-2.0..86_400.0).contains(&age), "{age}");
        assert!(of(&RESIDENT_BYTES) > 1e6 && of(&VIRTUAL_BYTES) > of(&RESIDENT_BYTES));
        assert!(of(&OPEN_FDS) >= 3.0 && of(&MAX_FDS) > of(&OPEN_FDS));
        assert!(of(&THREADS) >= 2.0);
    }
}
