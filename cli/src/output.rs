//! Tables and JSON on standard output.

use std::io::{self, BufWriter, ErrorKind, Write};

use anyhow::Context as _;
use serde::Serialize;

/// Writes to standard output by `write`. A reader that has seen enough (`| head`) is no error.
pub(crate) fn print(write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> anyhow::Result<()> {
    let mut output = BufWriter::new(io::stdout().lock());
    match write(&mut output).and_then(|()| output.flush()) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => {
            // What is left in the buffer has no reader; dropping it would try again.
            drop(output.into_parts());
            Ok(())
        }
        result => result.context("standard output cannot be written"),
    }
}

/// Writes a value as JSON for people and programs.
pub(crate) fn print_json(value: &impl Serialize) -> anyhow::Result<()> {
    let text = serde_json::to_string_pretty(value)?;
    print(|output| writeln!(output, "{text}"))
}

/// `text` without control characters, which would command the terminal; lines stay.
pub(crate) fn harmless(text: &str) -> String {
    let is_harmless = |c: char| c == '\n' || !c.is_control();
    text.chars()
        .map(|c| if is_harmless(c) { c } else { '\u{fffd}' })
        .collect()
}

/// Rows whose columns are aligned; the last one is as wide as it is.
pub(crate) fn table<const COLUMNS: usize>(rows: &[[String; COLUMNS]]) -> String {
    let mut widths = [0; COLUMNS];
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let mut text = String::new();
    for row in rows {
        let cells: Vec<String> = row
            .iter()
            .zip(widths)
            .map(|(cell, width)| format!("{cell:width$}"))
            .collect();
        text.push_str(harmless(&cells.join("  ")).trim_end());
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned_and_hold_no_control_characters() {
        let rows = [["a", "bb", "c"], ["ää\u{1b}", "b", ""]].map(|row| row.map(str::to_owned));
        assert_eq!(table(&rows), "a    bb  c\nää\u{fffd}  b\n");
    }
}
