//! What was measured: a table for each version of the broker, in `target/chaos/VERSION.txt`.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

const HEAD: [&str; 8] = [
    "broker",
    "fault",
    "jobs in",
    "built",
    "guests in",
    "outcomes",
    "doubled builds",
    "recovered after",
];

/// What came of one run, or of several.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Figures {
    /// Jobs in, and built.
    pub(crate) jobs: (usize, usize),
    /// Guests in, and with an outcome.
    pub(crate) guests: (usize, usize),
    /// How many builds were begun more than once.
    pub(crate) doubled: usize,
    /// Seconds from the end of the fault until the fleet went on; the longest.
    pub(crate) recovery: Option<f64>,
    /// Seconds from the request to the end; the sum.
    pub(crate) took: f64,
}

impl Figures {
    /// Of both together.
    #[must_use]
    pub(crate) fn and(self, other: Self) -> Self {
        let longest = |a: f64, b: f64| a.max(b);
        Self {
            jobs: (self.jobs.0 + other.jobs.0, self.jobs.1 + other.jobs.1),
            guests: (
                self.guests.0 + other.guests.0,
                self.guests.1 + other.guests.1,
            ),
            doubled: self.doubled + other.doubled,
            recovery: match (self.recovery, other.recovery) {
                (Some(a), Some(b)) => Some(longest(a, b)),
                (a, b) => a.or(b),
            },
            took: self.took + other.took,
        }
    }
}

/// The tables of this process: what an earlier one measured is not mixed with it.
static TABLES: Mutex<BTreeMap<String, BTreeMap<String, Figures>>> = Mutex::new(BTreeMap::new());

/// Takes figures over into the table of a broker, and writes that.
pub(crate) fn report(broker: &str, fault: &str, figures: Figures) {
    let mut tables = TABLES.lock().unwrap_or_else(PoisonError::into_inner);
    let table = tables.entry(broker.to_owned()).or_default();
    table.insert(fault.to_owned(), figures);
    let text = render(broker, table);
    let folder = folder();
    fs::create_dir_all(&folder).expect("target can be written to");
    let file = folder.join(format!("{}.txt", broker.replace(' ', "-")));
    fs::write(&file, &text).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    println!("{text}");
}

fn render(broker: &str, table: &BTreeMap<String, Figures>) -> String {
    let mut rows = vec![HEAD.map(str::to_owned).to_vec()];
    rows.extend(table.iter().map(|(fault, figures)| {
        vec![
            broker.to_owned(),
            fault.clone(),
            figures.jobs.0.to_string(),
            figures.jobs.1.to_string(),
            figures.guests.0.to_string(),
            figures.guests.1.to_string(),
            figures.doubled.to_string(),
            figures
                .recovery
                .map_or_else(|| "-".to_owned(), |s| format!("{s:.1} s")),
        ]
    }));
    let width = |column: usize| rows.iter().map(|row| row[column].len()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..HEAD.len()).map(width).collect();
    let mut text = String::new();
    for row in &rows {
        let cells = row
            .iter()
            .zip(&widths)
            .map(|(cell, width)| format!("{cell:<width$}"));
        let line = cells.collect::<Vec<_>>().join("  ");
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

/// `target/chaos`: this test lies in `target/PROFILE/deps`.
fn folder() -> PathBuf {
    let own = std::env::current_exe().expect("this test knows its own path");
    let target = own.ancestors().nth(3).unwrap_or(Path::new("."));
    target.join("chaos")
}
