//! What `emerge --depclean` writes to stdout.

use std::collections::BTreeSet;

use crate::cpv::Cpv;
use crate::depclean::lines::Lines;
use crate::depclean::{Block, Cycle, DepcleanError, Kept, Need, Parent, Reason, Stream, Summary};
use crate::name::CategoryPackage;
use crate::version::Version;

#[derive(Default)]
pub(super) struct Stdout {
    /// `All selected packages:`
    pub(super) listed: Vec<Cpv>,
    pub(super) blocks: Vec<Block>,
    /// `>>> Unmerging (1 of 3) …`
    pub(super) unmerged: Vec<Cpv>,
    pub(super) kept: Vec<Kept>,
    pub(super) cycles: Vec<Cycle>,
    pub(super) summary: Option<Summary>,
    pub(super) nothing_selected: bool,
}

pub(super) fn read(text: &str) -> Result<Stdout, DepcleanError> {
    let mut out = Stdout::default();
    // One line each, before the line of all packages tells how to divide it.
    let mut quiet = Vec::new();
    let mut lines = Lines::new(Stream::Stdout, text);
    while let Some(line) = lines.next() {
        if let Some(cpv) = heading(line, " pulled in by:") {
            let cpv = cpv.parse().map_err(|_| lines.wrong())?;
            let reasons = lines.list(reason)?;
            out.kept.push(Kept { cpv, reasons });
        } else if let Some(cpv) = heading(line, " is only required by packages that it requires") {
            out.cycles.push(cycle(cpv, &mut lines)?);
        } else if let Some(package) = line.strip_prefix(' ').and_then(package) {
            out.blocks.push(block(package, &mut lines)?);
        } else if let Some(list) = line.strip_prefix("All selected packages:") {
            for word in list.split_ascii_whitespace() {
                let cpv = word.strip_prefix('=').unwrap_or(word).parse();
                out.listed.push(cpv.map_err(|_| lines.wrong())?);
            }
        } else if line.starts_with(">>> Unmerging in: ") {
            // The countdown of CLEAN_DELAY.
        } else if let Some(rest) = line.strip_prefix(">>> Unmerging ") {
            out.unmerged
                .push(unmerged(rest).ok_or_else(|| lines.wrong())?);
        } else if line.starts_with(">>> No packages selected for removal by ") {
            out.nothing_selected = true;
        } else if let Some(number) = line.strip_prefix("Packages installed:") {
            let installed = count(number).ok_or_else(|| lines.wrong())?;
            out.summary = Some(summary(installed, &mut lines)?);
        } else if let Some((package, versions)) = line.split_once(": ")
            && let Some(package) = self::package(package)
        {
            let versions = versions.split_ascii_whitespace().map(version);
            let versions = versions.collect::<Option<Vec<_>>>();
            quiet.push((
                package,
                versions.ok_or_else(|| lines.wrong())?,
                lines.wrong(),
            ));
        }
    }
    let listed: BTreeSet<&Cpv> = out.listed.iter().collect();
    for (package, versions, error) in quiet {
        let block = quiet_block(package, &versions, &listed).ok_or(error)?;
        out.blocks.push(block);
    }
    Ok(out)
}

/// `  app-misc/hello-1.0 pulled in by:`
fn heading<'a>(line: &'a str, end: &str) -> Option<&'a str> {
    let cpv = line.strip_prefix("  ")?.strip_suffix(end)?;
    (!cpv.starts_with(' ')).then_some(cpv)
}

/// `    @selected requires dev-libs/libalpha, >=dev-libs/libalpha-1`
fn reason(line: &str) -> Option<Reason> {
    let (parent, needs) = line.strip_prefix("    ")?.split_once(" requires ")?;
    Some(Reason {
        parent: Parent::read(parent)?,
        needs: needs.split(", ").map(Need::read).collect::<Option<_>>()?,
    })
}

fn cycle(cpv: &str, lines: &mut Lines<'_>) -> Result<Cycle, DepcleanError> {
    let cpv = cpv.parse().map_err(|_| lines.wrong())?;
    lines.expect(|line| {
        line.starts_with("  itself. Pass all of them at once")
            .then_some(())
    })?;
    let members = lines.expect(|line| {
        let members = line.strip_prefix("    emerge --depclean ")?.split(' ');
        members
            .map(|member| member.strip_prefix('=')?.parse().ok())
            .collect()
    })?;
    Ok(Cycle { cpv, members })
}

fn package(text: &str) -> Option<CategoryPackage> {
    text.parse().ok()
}

fn block(package: CategoryPackage, lines: &mut Lines<'_>) -> Result<Block, DepcleanError> {
    let mut row = |name: &str| {
        lines.expect(|line| {
            let versions = line.trim_start().strip_prefix(name)?;
            let versions = versions.split_ascii_whitespace().map(version);
            let versions = versions.collect::<Option<Vec<_>>>()?;
            match versions.as_slice() {
                [] => None,
                [None] => Some(Vec::new()),
                _ => versions.into_iter().collect(),
            }
        })
    };
    Ok(Block {
        package,
        selected: row("selected: ")?,
        protected: row("protected: ")?,
        omitted: row("omitted: ")?,
    })
}

/// A version, or nothing for the word `none`; no reading of any other word.
fn version(word: &str) -> Option<Option<Version>> {
    match word {
        "none" => Some(None),
        _ => word.parse().ok().map(Some),
    }
}

/// `--quiet` writes the three lists behind each other, `1.0 1.1 none 2.0`. Where the second begins
/// says the line of all packages; where the third begins, only the word `none`.
fn quiet_block(
    package: CategoryPackage,
    versions: &[Option<Version>],
    listed: &BTreeSet<&Cpv>,
) -> Option<Block> {
    let is_listed = |version: &Option<Version>| {
        let cpv = version.clone().map(|version| Cpv {
            category_package: package.clone(),
            version,
        });
        cpv.is_some_and(|cpv| listed.contains(&cpv))
    };
    let split = versions.iter().position(|version| !is_listed(version))?;
    let (selected, rest) = versions.split_at(split);
    let all = |versions: &[Option<Version>]| versions.iter().cloned().collect::<Option<Vec<_>>>();
    let (protected, omitted) = match rest {
        [None, None] => (Vec::new(), Vec::new()),
        [None, omitted @ ..] if !omitted.is_empty() => (Vec::new(), all(omitted)?),
        [protected @ .., None] if !protected.is_empty() => (all(protected)?, Vec::new()),
        _ => return None,
    };
    Some(Block {
        selected: all(selected)?,
        package,
        protected,
        omitted,
    })
}

/// `(1 of 3) app-misc/hello-1.0...`, or without the numbers.
fn unmerged(text: &str) -> Option<Cpv> {
    let text = match text.strip_prefix('(') {
        Some(numbers) => numbers.split_once(") ")?.1,
        None => text,
    };
    text.strip_suffix("...")?.parse().ok()
}

/// The lines that follow `Packages installed:`.
fn summary(installed: usize, lines: &mut Lines<'_>) -> Result<Summary, DepcleanError> {
    let mut number = |name: &str| lines.expect(|line| count(line.strip_prefix(name)?));
    let world = number("Packages in world:")?;
    let system = number("Packages in system:")?;
    let has_profile = lines
        .peek()
        .is_some_and(|line| line.starts_with("Packages in profile:"));
    let mut number = |name: &str| lines.expect(|line| count(line.strip_prefix(name)?));
    let profile = has_profile
        .then(|| number("Packages in profile:"))
        .transpose()?;
    let required = number("Required packages:")?;
    let (removed, pretended) = lines.expect(|line| {
        let removed = |number| Some((count(number)?, false));
        match line.strip_prefix("Number to remove:") {
            Some(number) => Some((count(number)?, true)),
            None => line.strip_prefix("Number removed:").and_then(removed),
        }
    })?;
    Ok(Summary {
        installed,
        world,
        system,
        profile,
        required,
        removed,
        pretended,
    })
}

fn count(text: &str) -> Option<usize> {
    let text = text.trim();
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| digits)
}
