//! The whole output: what comes before the list, the list, and what comes after.

use super::list::List;
use super::notice;
use super::row::{looks_like_row, resembles_row};
use super::totals::{Totals, parse_after_total, parse_total};
use super::{Notice, Plan, PlanError};
use crate::text::{excerpt, without_escape_sequences};

/// Begins the list; printed by every call without `--quiet`, and again where a warning came
/// between.
const CALCULATING: &str = "Calculating dependencies";

/// Reads what `emerge --pretend --verbose` printed to stdout and stderr, and its exit status.
///
/// Escape sequences of terminals are removed first. Text before and after the list, as login
/// shells print it, becomes [notices](Plan::notices); within the list nothing but rows is accepted.
/// Both streams may have been merged into the first one.
///
/// Time and memory grow with the length of the text, and not faster.
///
/// # Errors
///
/// See [`PlanError`]. An exit status other than 0 is no error by itself: emerge prints a complete
/// list for a plan that it refuses, and [`Plan::status`] says so.
pub fn parse(stdout: &str, stderr: &str, status: i32) -> Result<Plan, PlanError> {
    let stdout = without_escape_sequences(stdout);
    let stderr = without_escape_sequences(stderr);
    let mut sections = Sections::read(&stdout, status)?;
    let mut notices = notice::parse(sections.beside_the_list.into_iter());
    notices.extend(notice::parse_errors(stderr.lines()));
    let Some((totals, _)) = sections.totals else {
        let explained = notices.iter().any(|notice| notice.kind.is_objection());
        return Err(if status != 0 && explained {
            PlanError::Refused { status, notices }
        } else if let Some(error) = sections.list.without_size(false) {
            error
        } else if sections.calculated {
            PlanError::NoTotal { status }
        } else {
            PlanError::NotCalculated { status }
        });
    };
    let (rows, blocks) = sections.list.finish(&totals)?;
    let plan = Plan {
        status,
        rows,
        blocks,
        totals,
        notices,
    };
    check_belief(&plan)?;
    Ok(plan)
}

/// Whether status, rows and words fit together.
fn check_belief(plan: &Plan) -> Result<(), PlanError> {
    if plan.status != 0 && plan.objections().next().is_none() {
        let status = plan.status;
        return Err(PlanError::UnexplainedStatus { status });
    }
    // What only removes packages, or only shows parents, installs as little as an empty list does.
    if plan.status != 0 || plan.merges().next().is_some() {
        return Ok(());
    }
    let contradicts = |notice: &&Notice| notice.kind.contradicts_an_empty_plan();
    let contradictions: Vec<Notice> = plan.notices.iter().filter(contradicts).cloned().collect();
    if contradictions.is_empty() {
        return Ok(());
    }
    Err(PlanError::EmptyContradicted {
        notices: contradictions,
    })
}

/// stdout, divided.
#[derive(Debug, Default)]
struct Sections<'a> {
    /// Whether the list began.
    calculated: bool,
    /// Whether emerge says something before the first row.
    speaking: bool,
    list: List,
    /// The total, and whether lines that complete it may still follow.
    totals: Option<(Totals, bool)>,
    /// Whether the list ended without a total, as without `--verbose`.
    has_no_total: bool,
    /// The lines before and after the list.
    beside_the_list: Vec<&'a str>,
}

impl<'a> Sections<'a> {
    fn read(stdout: &'a str, status: i32) -> Result<Self, PlanError> {
        let mut sections = Self {
            list: List::of_text(stdout.len()),
            ..Self::default()
        };
        for (index, line) in stdout.lines().enumerate() {
            sections
                .read_line(index + 1, line.trim_end(), status)
                .map_err(|reason| PlanError::Line {
                    number: index + 1,
                    line: excerpt(line),
                    reason,
                })?;
        }
        Ok(sections)
    }

    fn read_line(&mut self, number: usize, line: &'a str, status: i32) -> Result<(), String> {
        if !self.calculated {
            return self.read_before(line);
        }
        if self.totals.is_some() || self.has_no_total {
            return self.read_after(line);
        }
        if line.starts_with("Total: ") {
            let (totals, unit) = parse_total(line)?;
            self.list.check_unit(unit)?;
            self.totals = Some((totals, true));
            return Ok(());
        }
        if looks_like_row(line) {
            return self.list.push(number, line);
        }
        if self.list.is_empty() {
            return self.read_between(number, line, status);
        }
        if is_restart(line) {
            self.beside_the_list.push(line);
            return Ok(());
        }
        if line.is_empty() {
            return Ok(());
        }
        // Until Portage 2.1.10 emerge shows a circle without sizes, whatever it was told. Such a
        // list is never believed, but what follows says why there is no plan.
        if self.list.has_no_sizes() {
            self.has_no_total = true;
            self.beside_the_list.push(line);
            return Ok(());
        }
        self.list.push(number, line)
    }

    fn read_before(&mut self, line: &'a str) -> Result<(), String> {
        if line.starts_with(CALCULATING) {
            self.calculated = true;
            self.beside_the_list.push("");
        } else if looks_like_row(line) || line.starts_with("Total: ") {
            return Err(format!(
                "it comes before the line {CALCULATING:?}, which is missing, as with --quiet"
            ));
        } else if !line.starts_with("These are the packages that would be ") {
            self.beside_the_list.push(line);
        }
        Ok(())
    }

    /// Reads a line between the beginning and the first row. Where emerge makes no plan, what it
    /// says follows at once, and nothing else comes; warnings may stand there, too.
    fn read_between(&mut self, number: usize, line: &'a str, status: i32) -> Result<(), String> {
        // Its end stands on a line of its own where something was said meanwhile, as by another emerge
        // that holds a lock.
        let is_end = line.trim_start() == "done!";
        if is_end
            || line.starts_with(CALCULATING)
            || line.starts_with("Dependency resolution took ")
        {
            return Ok(());
        }
        self.speaking |= notice::begins(line);
        if line.is_empty() || ((self.speaking || status != 0) && !resembles_row(line)) {
            self.beside_the_list.push(line);
            return Ok(());
        }
        self.list.push(number, line)
    }

    fn read_after(&mut self, line: &'a str) -> Result<(), String> {
        if looks_like_row(line) || line.starts_with("Total: ") || line.starts_with(CALCULATING) {
            return Err("it comes after the end of the list".to_owned());
        }
        if let Some((totals, open)) = &mut self.totals {
            if *open && parse_after_total(line, totals)? {
                return Ok(());
            }
            *open = false;
        }
        self.beside_the_list.push(line);
        Ok(())
    }
}

/// The two lines below the row of Portage itself, until Portage 2.1.10.
fn is_restart(line: &str) -> bool {
    line.starts_with("*** Portage will stop merging at this point and reload itself,")
        || line == "    then resume the merge."
}
