//! The batch as a graph in the language of GraphViz (<https://graphviz.org/doc/info/lang.html>).
//! Pure.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use gentoo_updater_fleet::inspect::{PlanJob, PlanProgress, PlanView};
use gentoo_updater_fleet::name::JobId;
use gentoo_updater_fleet::words::seconds;
use jiff::SignedDuration;

/// The whole graph. Nodes are in the order of the plan, and edges in that of their nodes, so that
/// the same batch gives the same text.
pub(super) fn graph(view: &PlanView) -> String {
    let mut text = String::new();
    // Writing to a String cannot fail.
    let _ = write(&mut text, view);
    text
}

fn write(out: &mut String, view: &PlanView) -> std::fmt::Result {
    writeln!(out, "digraph batch {{")?;
    writeln!(out, "    label={};", quoted(&title(view)))?;
    writeln!(out, "    rankdir=LR;")?;
    writeln!(
        out,
        "    node [shape=box, style=filled, fontname=\"Helvetica\", fontsize=10];"
    )?;
    for job in &view.jobs {
        let width = if job.critical { 3 } else { 1 };
        writeln!(
            out,
            "    {} [label={}, fillcolor={}, penwidth={width}];",
            node(&job.job),
            quoted(&label(job)),
            quoted(colour(&job.progress)),
        )?;
    }
    let critical: BTreeSet<(&JobId, &JobId)> = view
        .totals
        .critical_path
        .windows(2)
        .filter_map(|pair| Some((pair.first()?, pair.get(1)?)))
        .collect();
    for job in &view.jobs {
        let needs: BTreeSet<&JobId> = job.build_needs.iter().chain(&job.runtime_needs).collect();
        for need in needs {
            let mut style = if job.cut_needs.contains(need) {
                "style=dotted, color=red, constraint=false".to_owned()
            } else if job.build_needs.contains(need) {
                "style=solid".to_owned()
            } else {
                "style=dashed".to_owned()
            };
            if critical.contains(&(need, &job.job)) {
                style.push_str(", penwidth=3");
            }
            writeln!(out, "    {} -> {} [{style}];", node(need), node(&job.job))?;
        }
    }
    writeln!(out, "}}")
}

fn title(view: &PlanView) -> String {
    let totals = &view.totals;
    format!(
        "{} jobs, {} of work, critical path {}",
        totals.jobs,
        duration(totals.work_ms),
        duration(totals.critical_ms)
    )
}

fn label(job: &PlanJob) -> String {
    let guess = if job.guessed { "?" } else { "" };
    let mut label = job.cpv.to_string();
    if !job.differing_use.is_empty() {
        label.push('\n');
        label.push_str(&job.differing_use.join(" "));
    }
    let _ = write!(label, "\n{}{guess}", duration(job.duration_ms));
    label
}

fn duration(ms: u64) -> String {
    seconds(SignedDuration::from_millis(
        i64::try_from(ms).unwrap_or(i64::MAX),
    ))
}

/// Of those that GraphViz takes from X11.
fn colour(progress: &PlanProgress) -> &'static str {
    match progress {
        PlanProgress::Waiting => "white",
        PlanProgress::Ready => "lightyellow",
        PlanProgress::Claimed { .. } => "lightblue",
        PlanProgress::Built { .. } => "palegreen",
        PlanProgress::Failed { .. } => "salmon",
        PlanProgress::HeldBack { .. } => "lightgrey",
    }
}

fn node(id: &JobId) -> String {
    quoted(id.short())
}

/// A text as a quoted name: a backslash would begin an escape, of which `\n` is a new line.
fn quoted(text: &str) -> String {
    let mut quoted = String::from('"');
    for character in text.chars() {
        match character {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            other => quoted.push(other),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_quotes_backslashes_and_lines_stays_one_name() {
        assert_eq!(quoted("a \"b\" c\\d\ne"), r#""a \"b\" c\\d\ne""#);
    }
}
