//! A document as plain text, for a terminal.

use std::fmt::{self, Write};

use super::{Block, Entry, Mark, Outline, Table, harmless};

/// How far the entries of a list are from the margin, by their depth.
const MARGINS: [&str; 3] = ["  ", "      ", "        "];

impl Outline {
    /// The document as plain text.
    pub fn to_text(&self) -> String {
        let mut text = String::new();
        // Writing to a String cannot fail.
        let _ = self.write_text(&mut text);
        harmless(&text).into_owned()
    }

    fn write_text(&self, out: &mut String) -> fmt::Result {
        for block in &self.blocks {
            match block {
                Block::Heading { level: 1, text } | Block::Paragraph(text) => {
                    writeln!(out, "{text}")?;
                }
                Block::Heading { text, .. } => writeln!(out, "\n{text}")?,
                Block::List(entries) => write_entries(out, entries, 0)?,
                Block::Table(table) => write_table(out, table)?,
            }
        }
        Ok(())
    }
}

fn write_entries(out: &mut String, entries: &[Entry], depth: usize) -> fmt::Result {
    let margin = MARGINS[depth.min(MARGINS.len() - 1)];
    for entry in entries {
        match entry {
            Entry::Item {
                mark,
                text,
                entries,
            } => {
                let sign = match mark {
                    Mark::Finding => "! ",
                    Mark::Plain | Mark::Failure | Mark::NextStep => "",
                };
                writeln!(out, "{margin}{sign}{text}")?;
                write_entries(out, entries, depth + 1)?;
            }
            Entry::Quote(lines) => {
                for line in lines {
                    writeln!(out, "{margin}| {line}")?;
                }
            }
        }
    }
    Ok(())
}

fn write_table(out: &mut String, table: &Table) -> fmt::Result {
    let longest = |place: usize| {
        let cells = table.rows.iter().filter_map(|row| row.cells.get(place));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let columns = table.columns.iter().enumerate();
    let widths: Vec<Option<usize>> = columns
        .map(|(place, column)| column.width.map(|least| least.max(longest(place))))
        .collect();
    for row in &table.rows {
        write!(out, "{}", MARGINS[0])?;
        for ((cell, column), width) in row.cells.iter().zip(&table.columns).zip(&widths) {
            match width {
                Some(width) => write!(out, "{}{cell:width$}", column.before)?,
                None if cell.is_empty() => {}
                None => write!(out, "{}{cell}", column.before)?,
            }
        }
        writeln!(out)?;
        write_entries(out, &row.entries, 1)?;
    }
    Ok(())
}
