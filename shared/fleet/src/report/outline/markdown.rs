//! A document as Markdown, as GitHub, GitLab and `CommonMark` read it; tables are those of GFM.

use std::fmt::{self, Write};

use super::{Block, Entry, Mark, Outline, Table, code_parts, one_line};

/// Characters that mean something in Markdown, wherever they stand.
const SPECIAL: &[char] = &[
    '\\', '*', '_', '[', ']', '<', '>', '|', '#', '&', '~', '`', '$',
];

impl Outline {
    /// The document as Markdown.
    pub fn to_markdown(&self) -> String {
        let mut text = String::new();
        // Writing to a String cannot fail.
        let _ = self.write_markdown(&mut text);
        text
    }

    fn write_markdown(&self, out: &mut String) -> fmt::Result {
        for (place, block) in self.blocks.iter().enumerate() {
            if place > 0 {
                writeln!(out)?;
            }
            match block {
                Block::Heading { level, text } => {
                    let marks = "#".repeat(usize::from((*level).clamp(1, 6)));
                    writeln!(out, "{marks} {}", inline(text))?;
                }
                Block::Paragraph(text) => writeln!(out, "{}", inline(text))?,
                Block::List(entries) => write_entries(out, entries, 0)?,
                Block::Table(table) => write_table(out, table)?,
            }
        }
        Ok(())
    }
}

fn write_entries(out: &mut String, entries: &[Entry], depth: usize) -> fmt::Result {
    let margin = "  ".repeat(depth);
    for entry in entries {
        match entry {
            Entry::Item {
                mark,
                text,
                entries,
            } => {
                let text = inline(text);
                match mark {
                    Mark::Failure => writeln!(out, "{margin}- **{text}**")?,
                    Mark::Finding => writeln!(out, "{margin}- ⚠ {text}")?,
                    Mark::NextStep => writeln!(out, "{margin}- → {text}")?,
                    Mark::Plain => writeln!(out, "{margin}- {text}")?,
                }
                write_entries(out, entries, depth + 1)?;
            }
            Entry::Quote(lines) => {
                // A part of the item before it. The fence is longer than any row of backquotes inside.
                let fence = "`".repeat(longest_row(lines).max(2) + 1);
                writeln!(out, "\n{margin}  {fence}text")?;
                for line in lines {
                    writeln!(out, "{margin}  {}", super::harmless(line))?;
                }
                writeln!(out, "{margin}  {fence}\n")?;
            }
        }
    }
    Ok(())
}

fn longest_row(lines: &[String]) -> usize {
    let rows = lines.iter().flat_map(|line| line.split(|c| c != '`'));
    rows.map(str::len).max().unwrap_or(0)
}

/// A table, and below it what belongs to its rows.
fn write_table(out: &mut String, table: &Table) -> fmt::Result {
    let titles: Vec<&str> = table.columns.iter().map(|column| column.title).collect();
    writeln!(out, "| {} |", titles.join(" | "))?;
    writeln!(out, "|{}", " --- |".repeat(titles.len()))?;
    for row in &table.rows {
        let cells: Vec<String> = row.cells.iter().map(|cell| inline(cell)).collect();
        writeln!(out, "| {} |", cells.join(" | "))?;
    }
    let mut told = table.rows.iter().filter(|row| !row.entries.is_empty());
    if let Some(first) = told.next() {
        writeln!(out)?;
        for row in std::iter::once(first).chain(told) {
            let name = row.cells.first().map(String::as_str).unwrap_or_default();
            writeln!(out, "- {}", inline(name))?;
            write_entries(out, &row.entries, 1)?;
        }
    }
    Ok(())
}

/// Words in one line in which nothing means anything but code.
fn inline(text: &str) -> String {
    let text = one_line(text);
    let mut written = String::new();
    for (place, part) in code_parts(&text).into_iter().enumerate() {
        if place % 2 == 1 && !part.is_empty() {
            // In a table a bar ends the cell also within code.
            let part = part.replace('|', "\\|");
            written.push_str(&format!("`{part}`"));
        } else {
            escape(&mut written, part);
        }
    }
    written
}

fn escape(written: &mut String, words: &str) {
    let is_first = written.is_empty();
    for (place, c) in words.char_indices() {
        // What begins a list or a line below a heading means that only at the beginning.
        let begins = is_first && place == 0 && "+-=".contains(c);
        let numbers = is_first && ".)".contains(c) && is_number(&words[..place]);
        if SPECIAL.contains(&c) || begins || numbers {
            written.push('\\');
        }
        written.push(c);
    }
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::inline;

    #[test]
    fn what_means_something_in_markdown_is_written_as_it_is_and_code_stays_code() {
        for (text, expected) in [
            ("a_b *c* <b>", "a\\_b \\*c\\* \\<b\\>"),
            ("run `a_b | c` now", "run `a_b \\| c` now"),
            ("one ` alone", "one \\` alone"),
            ("- no list", "\\- no list"),
            ("1. no list", "1\\. no list"),
            ("a-1.0.", "a-1.0."),
            ("two\nlines\u{1b}[2J", "two lines\u{fffd}\\[2J"),
        ] {
            assert_eq!(inline(text), expected, "{text}");
        }
    }
}
