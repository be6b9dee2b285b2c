//! What `emerge --depclean` writes to stderr: lists behind ` * `, and single lines.

use crate::cpv::Cpv;
use crate::depclean::lines::Lines;
use crate::depclean::{DepcleanError, Kept, Missing, Need, Parent, Reason, Stream};

#[derive(Default)]
pub(super) struct Stderr {
    /// `Dependencies could not be completely resolved due to …`
    pub(super) missing: Vec<Missing>,
    /// `In order to avoid breakage of link level dependencies, …`
    pub(super) kept: Vec<Kept>,
    /// `Broken soname dependencies found:`
    pub(super) broken_libraries: Vec<Kept>,
    pub(super) not_installed: Vec<String>,
    /// Nothing else was written.
    pub(super) is_calm: bool,
}

pub(super) fn read(text: &str) -> Result<Stderr, DepcleanError> {
    let mut said = Stderr {
        is_calm: true,
        ..Stderr::default()
    };
    let mut lines = Lines::new(Stream::Stderr, text);
    while let Some(line) = lines.next() {
        if let Some(rest) = line.strip_prefix("--- Couldn't find '") {
            let (argument, _) = rest.split_once("' to ").ok_or_else(|| lines.wrong())?;
            said.not_installed.push(argument.to_owned());
            continue;
        }
        match line.strip_prefix(" * ").map(str::trim_end) {
            Some("Dependencies could not be completely resolved due to") => {
                // The second line of the sentence.
                lines.expect(|line| line.starts_with(" * the following").then_some(()))?;
                missing(&mut lines, &mut said.missing)?;
            }
            Some("Broken soname dependencies found:") => {
                let mut broken = Vec::new();
                broken_libraries(&mut lines, &mut broken)?;
                said.broken_libraries = broken;
            }
            Some(text) if text.ends_with(" pulled in by:") => {
                said.kept.push(kept(text, &mut lines)?);
            }
            _ => said.is_calm &= line.trim().is_empty(),
        }
    }
    Ok(said)
}

/// The next line without its ` * `, where it is in a list.
fn entry<'a>(line: &'a str, indent: &str) -> Option<&'a str> {
    let text = line.strip_prefix(" * ")?.strip_prefix(indent)?;
    (!text.is_empty() && !text.starts_with(' ')).then_some(text)
}

fn is_blank(line: &str) -> bool {
    line.trim_end() == " *"
}

/// Pairs of lines, each followed by a blank one: `  dev-libs/x pulled in by:`, `    app-misc/y-1`.
fn missing(lines: &mut Lines<'_>, found: &mut Vec<Missing>) -> Result<(), DepcleanError> {
    lines.expect(|line| is_blank(line).then_some(()))?;
    loop {
        let need = lines.expect(|line| {
            let text = entry(line, "  ")?.strip_suffix(" pulled in by:")?;
            // `dev-libs/x[a?] (dev-libs/x[a])`: as it was written, and evaluated.
            let evaluated = text
                .split_once(" (")
                .and_then(|(_, atom)| atom.strip_suffix(')'));
            Need::read(evaluated.unwrap_or(text))
        })?;
        let parent = lines.expect(|line| entry(line, "    ")?.parse::<Cpv>().ok())?;
        found.push(Missing { need, parent });
        lines.expect(|line| is_blank(line).then_some(()))?;
        if !lines.peek().is_some_and(|line| line.starts_with(" *   ")) {
            return Ok(());
        }
    }
}

/// Pairs of lines: `  x86_64: libz.so.1 required by:`, `    app-misc/y-1`.
fn broken_libraries(lines: &mut Lines<'_>, found: &mut Vec<Kept>) -> Result<(), DepcleanError> {
    lines.expect(|line| is_blank(line).then_some(()))?;
    while lines.peek().is_some_and(|line| line.starts_with(" *   ")) {
        let need = lines.expect(|line| {
            let text = entry(line, "  ")?.strip_suffix(" required by:")?;
            Need::read(text)
        })?;
        let parent = lines.expect(|line| entry(line, "    ")?.parse::<Cpv>().ok())?;
        lines.expect(|line| is_blank(line).then_some(()))?;
        found.push(Kept {
            cpv: parent.clone(),
            reasons: vec![Reason {
                parent: Parent::Package(parent),
                needs: vec![need],
            }],
        });
    }
    Ok(())
}

/// `  sys-libs/zlib-1 pulled in by:`, and lines `    app-misc/y-1 needs libz.so.1, libz.so.2`.
fn kept(heading: &str, lines: &mut Lines<'_>) -> Result<Kept, DepcleanError> {
    let cpv = heading.trim().strip_suffix(" pulled in by:");
    let cpv = cpv.and_then(|cpv| cpv.parse().ok());
    let cpv = cpv.ok_or_else(|| lines.wrong())?;
    let mut reasons = Vec::new();
    while reasons.is_empty() || lines.peek().is_some_and(|line| !is_blank(line)) {
        reasons.push(lines.expect(|line| {
            let (parent, libraries) = entry(line, "    ")?.split_once(" needs ")?;
            let needs = libraries.split(", ").map(|soname| Need::Library {
                category: None,
                soname: soname.to_owned(),
            });
            Some(Reason {
                parent: Parent::read(parent)?,
                needs: needs.collect(),
            })
        })?);
    }
    Ok(Kept { cpv, reasons })
}
