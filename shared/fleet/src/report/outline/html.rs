//! A document as one HTML page that needs nothing else: no script, no font, no picture, nothing to fetch.

use std::fmt::{self, Write};

use super::{Block, Entry, Mark, Outline, Table, code_parts, harmless, one_line};

const STYLE: &str = include_str!("report.css");

impl Outline {
    /// The document as an HTML page.
    pub fn to_html(&self) -> String {
        let mut page = String::new();
        // Writing to a String cannot fail.
        let _ = self.write_html(&mut page);
        page
    }

    fn write_html(&self, out: &mut String) -> fmt::Result {
        let title = self.blocks.iter().find_map(|block| match block {
            Block::Heading { level: 1, text } => Some(text.as_str()),
            _ => None,
        });
        let title = escaped(&one_line(title.unwrap_or("gentoo-updater")));
        // Whatever a machine has written: nothing is fetched, and nothing is executed.
        write!(
            out,
            "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
             <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
             <meta name=\"color-scheme\" content=\"light dark\">\n\
             <title>{title}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<main>\n"
        )?;
        for block in &self.blocks {
            match block {
                Block::Heading { level, text } => {
                    let level = (*level).clamp(1, 6);
                    writeln!(out, "<h{level}>{}</h{level}>", inline(text))?;
                }
                Block::Paragraph(text) => writeln!(out, "<p>{}</p>", inline(text))?,
                Block::List(entries) => write_entries(out, entries)?,
                Block::Table(table) => write_table(out, table)?,
            }
        }
        writeln!(out, "</main>\n</body>\n</html>")
    }
}

fn write_entries(out: &mut String, entries: &[Entry]) -> fmt::Result {
    if entries.is_empty() {
        return Ok(());
    }
    writeln!(out, "<ul>")?;
    for entry in entries {
        match entry {
            Entry::Item {
                mark,
                text,
                entries,
            } => {
                let class = match mark {
                    Mark::Plain => "",
                    Mark::Finding => " class=\"finding\"",
                    Mark::Failure => " class=\"failure\"",
                    Mark::NextStep => " class=\"next\"",
                };
                write!(out, "<li{class}>{}", inline(text))?;
                if !entries.is_empty() {
                    writeln!(out)?;
                    write_entries(out, entries)?;
                }
                writeln!(out, "</li>")?;
            }
            Entry::Quote(lines) => {
                let lines: Vec<String> = lines.iter().map(|line| escaped(line)).collect();
                // The first line break behind the tag is none of the text.
                writeln!(
                    out,
                    "<li class=\"quote\"><pre>\n{}</pre></li>",
                    lines.join("\n")
                )?;
            }
        }
    }
    writeln!(out, "</ul>")
}

fn write_table(out: &mut String, table: &Table) -> fmt::Result {
    write!(out, "<div class=\"table\"><table>\n<thead><tr>")?;
    for column in &table.columns {
        write!(out, "<th scope=\"col\">{}</th>", escaped(column.title))?;
    }
    writeln!(out, "</tr></thead>\n<tbody>")?;
    for row in &table.rows {
        write!(out, "<tr>")?;
        for (place, cell) in row.cells.iter().enumerate() {
            match place {
                0 => write!(out, "<th scope=\"row\">{}</th>", inline(cell))?,
                _ => write!(out, "<td>{}</td>", inline(cell))?,
            }
        }
        writeln!(out, "</tr>")?;
        if !row.entries.is_empty() {
            writeln!(out, "<tr><td colspan=\"{}\">", table.columns.len())?;
            write_entries(out, &row.entries)?;
            writeln!(out, "</td></tr>")?;
        }
    }
    writeln!(out, "</tbody>\n</table></div>")
}

fn inline(text: &str) -> String {
    let text = one_line(text);
    let parts = code_parts(&text).into_iter().enumerate();
    let parts = parts.map(|(place, part)| match place % 2 {
        1 => format!("<code>{}</code>", escaped(part)),
        _ => escaped(part),
    });
    parts.collect()
}

/// Text in which nothing is markup.
fn escaped(text: &str) -> String {
    let mut written = String::with_capacity(text.len());
    for c in harmless(text).chars() {
        match c {
            '&' => written.push_str("&amp;"),
            '<' => written.push_str("&lt;"),
            '>' => written.push_str("&gt;"),
            '"' => written.push_str("&quot;"),
            '\'' => written.push_str("&#39;"),
            c => written.push(c),
        }
    }
    written
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_machine_has_written_is_no_markup_and_commands_nothing() {
        assert_eq!(
            inline("<script>alert('x')</script> & `a<b`\u{1b}[2J"),
            "&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt; &amp; <code>a&lt;b</code>\u{fffd}[2J"
        );
        let mut outline = Outline::default();
        outline.heading(1, "a</title><script>");
        outline.section(
            2,
            "Log",
            vec![Entry::Quote(vec!["</pre><script>".to_owned()])],
        );
        let page = outline.to_html();
        assert!(!page.contains("<script"), "{page}");
        assert!(page.contains("default-src 'none'"), "{page}");
    }
}
