//! What a number of processes side by side cost until the last of them has ended.

use std::collections::VecDeque;
use std::fmt;
use std::fs::{self, File};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use gentoo_updater_tests::fixtures::{enter_netns, stop_if_interrupted};
use wait4::Wait4 as _;

use crate::quantile::middle;

/// What processes cost, as the kernel counts it (getrusage(2)).
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Usage {
    /// From the start of the first to the end of the last, in seconds.
    pub(crate) wall: f64,
    /// Time of the processor, user and system, of all of them and of what they started and waited
    /// for, in seconds.
    pub(crate) processor: f64,
    /// The most memory that each of them, or the largest that it started, had at a time (RSS), summed
    /// up, in MiB. What processes share counts for each. None counts with less than this process had
    /// when it started it.
    pub(crate) memory: f64,
}

/// Runs commands side by side in a network namespace, and gives what each of them printed.
///
/// # Panics
/// When one of them fails. All are ended then.
pub(crate) fn together(netns: &str, logs: &Path, commands: Vec<Command>) -> (Usage, Vec<String>) {
    let (netns, logs) = (netns.to_owned(), logs.to_owned());
    // `ip netns exec` before each command would be counted, too.
    let thread = std::thread::spawn(move || {
        enter_netns(&netns);
        measured(&logs, commands)
    });
    match thread.join() {
        Ok(measured) => measured,
        Err(panic) => std::panic::resume_unwind(panic),
    }
}

fn measured(logs: &Path, commands: Vec<Command>) -> (Usage, Vec<String>) {
    stop_if_interrupted();
    let count = commands.len();
    let file = |number: usize, end: &str| logs.join(format!("{number}.{end}"));
    let start = Instant::now();
    let mut running = Running::default();
    for (number, mut command) in commands.into_iter().enumerate() {
        // To files: nobody has to read along, and to be counted for it.
        let open = |end: &str| File::create(file(number, end)).expect("a file for the output");
        command
            .stdin(Stdio::null())
            .stdout(open("out"))
            .stderr(open("err"));
        let child = command.spawn();
        let child = child.unwrap_or_else(|error| panic!("{command:?}: {error}"));
        running.0.push_back(child);
    }
    let mut usage = Usage::default();
    let mut failed = None;
    // Whoever is collected is not to be ended any more: its number may be another's by then.
    while let Some(mut child) = running.0.pop_front() {
        let used = child.wait4().expect("a child can be waited for");
        usage.processor += (used.rusage.utime + used.rusage.stime).as_secs_f64();
        usage.memory += mebibytes(used.rusage.maxrss);
        if !used.status.success() {
            let number = count - running.0.len() - 1;
            failed.get_or_insert((number, used.status));
        }
    }
    usage.wall = start.elapsed().as_secs_f64();
    let read = |number, end| {
        let text = fs::read(file(number, end)).expect("output can be read");
        String::from_utf8_lossy(&text).into_owned()
    };
    if let Some((number, status)) = failed {
        let said = [read(number, "out"), read(number, "err")].concat();
        panic!("process {number} ended with {status}:\n{said}");
    }
    (
        usage,
        (0..count).map(|number| read(number, "out")).collect(),
    )
}

#[allow(clippy::cast_precision_loss)]
fn mebibytes(bytes: u64) -> f64 {
    bytes as f64 / (1024.0 * 1024.0)
}

/// Ends what has not ended by itself.
#[derive(Default)]
struct Running(VecDeque<Child>);

impl Drop for Running {
    fn drop(&mut self) {
        for child in &mut self.0 {
            // It may have ended meanwhile; both calls then do no harm.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

impl Usage {
    /// The middle of each number.
    pub(crate) fn middle(all: &[Self]) -> Self {
        let of = |number: fn(&Self) -> f64| middle(all.iter().map(number).collect());
        Self {
            wall: of(|usage| usage.wall),
            processor: of(|usage| usage.processor),
            memory: of(|usage| usage.memory),
        }
    }
}

impl fmt::Display for Usage {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            wall,
            processor,
            memory,
        } = self;
        write!(
            formatter,
            "{processor:>7.3} s{memory:>8.1} MiB{wall:>7.2} s"
        )
    }
}
