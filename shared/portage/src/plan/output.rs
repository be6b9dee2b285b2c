//! The whole output: what comes before the list, the list, and what comes after.

use super::row::{Line, looks_like_row, parse_line};
use super::{Notice, Plan, PlanError, Totals, notice, totals};
use crate::text::{excerpt, without_escape_sequences};

/// Begins the list; printed by every call without `--quiet`.
const CALCULATING: &str = "Calculating dependencies";

/// Reads what `emerge --pretend --verbose` printed to stdout and stderr, and its exit status.
///
/// Escape sequences of terminals are removed first. Text before and after the list, as login
/// shells print it, becomes [notices](Plan::notices); within the list nothing but rows is accepted.
///
/// # Errors
///
/// See [`PlanError`]. An exit status other than 0 is no error by itself: emerge prints a complete
/// list for a plan that it refuses, and [`Plan::status`] says so.
pub fn parse(stdout: &str, stderr: &str, status: i32) -> Result<Plan, PlanError> {
    let stdout = without_escape_sequences(stdout);
    let stderr = without_escape_sequences(stderr);
    let sections = Sections::read(&stdout, status)?;
    let notices: Vec<Notice> = notice::parse(
        sections
            .beside_the_list
            .into_iter()
            .chain([""])
            .chain(stderr.lines()),
    );
    let Some((totals, _)) = sections.totals else {
        let explained = notices.iter().any(|notice| notice.kind.is_objection());
        return Err(if status != 0 && explained {
            PlanError::Refused { status, notices }
        } else if sections.calculated {
            PlanError::NoTotal { status }
        } else {
            PlanError::NotCalculated { status }
        });
    };
    let (mut rows, mut blocks) = (Vec::new(), Vec::new());
    for line in sections.list {
        match line {
            Line::Row(row) => rows.push(*row),
            Line::Block(block) => blocks.push(block),
        }
    }
    totals::check(&rows, &blocks, &totals)?;
    let plan = Plan {
        status,
        rows,
        blocks,
        totals,
        notices,
    };
    if status != 0 && plan.objections().next().is_none() {
        return Err(PlanError::UnexplainedStatus { status });
    }
    let contradictions = || {
        plan.notices
            .iter()
            .filter(|n| n.kind.contradicts_an_empty_plan())
    };
    if status == 0 && plan.rows.is_empty() && contradictions().next().is_some() {
        return Err(PlanError::EmptyContradicted {
            notices: contradictions().cloned().collect(),
        });
    }
    Ok(plan)
}

/// stdout, divided.
#[derive(Debug, Default)]
struct Sections<'a> {
    /// Whether the list began.
    calculated: bool,
    /// The rows.
    list: Vec<Line>,
    /// The total, and whether lines that complete it may still follow.
    totals: Option<(Totals, bool)>,
    /// Whether the list ended, with a total or, where emerge made no plan, without.
    ended: bool,
    /// The lines before and after the list.
    beside_the_list: Vec<&'a str>,
}

impl<'a> Sections<'a> {
    fn read(stdout: &'a str, status: i32) -> Result<Self, PlanError> {
        let mut sections = Self::default();
        for (index, line) in stdout.lines().enumerate() {
            sections
                .read_line(line, status)
                .map_err(|reason| PlanError::Line {
                    number: index + 1,
                    line: excerpt(line),
                    reason,
                })?;
        }
        Ok(sections)
    }

    fn read_line(&mut self, line: &'a str, status: i32) -> Result<(), String> {
        let line = line.trim_end();
        if !self.calculated {
            return self.read_before(line);
        }
        if self.ended {
            return self.read_after(line);
        }
        if line.is_empty() || line.starts_with("Dependency resolution took ") {
            return Ok(());
        }
        if line.starts_with("Total: ") {
            self.totals = Some((totals::parse_total(line)?, true));
            self.ended = true;
            return Ok(());
        }
        // Where emerge made no plan, what it says follows at once, and no total comes.
        let says_why = status != 0 || line.starts_with(" * IMPORTANT:");
        if self.list.is_empty() && says_why && !looks_like_row(line) {
            self.ended = true;
            self.beside_the_list.push(line);
            return Ok(());
        }
        self.list.push(parse_line(line)?);
        Ok(())
    }

    fn read_before(&mut self, line: &'a str) -> Result<(), String> {
        if line.starts_with(CALCULATING) {
            self.calculated = true;
            self.beside_the_list.push("");
        } else if looks_like_row(line) || line.starts_with("Total: ") {
            return Err(format!("it comes before the line {CALCULATING:?}"));
        } else if !line.starts_with("These are the packages that would be ") {
            self.beside_the_list.push(line);
        }
        Ok(())
    }

    fn read_after(&mut self, line: &'a str) -> Result<(), String> {
        if looks_like_row(line) || line.starts_with("Total: ") || line.starts_with(CALCULATING) {
            return Err("it comes after the end of the list".to_owned());
        }
        if let Some((totals, open)) = &mut self.totals {
            if *open && totals::parse_after_total(line, totals)? {
                return Ok(());
            }
            *open = false;
        }
        self.beside_the_list.push(line);
        Ok(())
    }
}
