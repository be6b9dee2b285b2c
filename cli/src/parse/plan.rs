//! `parse plan`: what emerge would do, and what it said.

use std::fmt::Write as _;

use gentoo_updater_portage::name::UseFlag;
use gentoo_updater_portage::plan::{
    DocumentRow, DocumentRowKind, NoticeKind, Plan, PlanDocument, PlanError, Totals, parse,
};

use super::arguments::PlanOptions;
use super::{NotUnderstood, input};
use crate::WrongUsage;
use crate::output;

/// Reads the output of `emerge --pretend --verbose`.
pub(super) fn plan(options: &PlanOptions) -> anyhow::Result<()> {
    let is_stdin = input::is_standard_input;
    if is_stdin(&options.stdout) && options.stderr.as_deref().is_some_and(is_stdin) {
        let message = "standard input can be --stdout or --stderr, not both".to_owned();
        return Err(WrongUsage(message).into());
    }
    let stdout = input::text_of_emerge(&options.stdout)?;
    let stderr = match &options.stderr {
        Some(path) => input::text_of_emerge(path)?,
        None => String::new(),
    };
    let plan = parse(&stdout, &stderr, options.status).map_err(|error| {
        let remedy = if options.stderr.is_none() && may_be_explained_by_stderr(&error) {
            "; with --stderr and --status it may be told why"
        } else {
            ""
        };
        let name = input::name(&options.stdout);
        NotUnderstood(format!("{name}: {error}{remedy}"))
    })?;
    let document = PlanDocument::from(&plan);
    if options.json {
        return output::print_json(&document);
    }
    let text = to_text(&plan, &document);
    output::print(|output| output.write_all(text.as_bytes()))
}

/// Whether the output may be whole, and emerge have said on standard error why it holds no plan.
fn may_be_explained_by_stderr(error: &PlanError) -> bool {
    matches!(
        error,
        PlanError::NotCalculated { .. }
            | PlanError::NoTotal { .. }
            | PlanError::UnexplainedStatus { .. }
    )
}

fn to_text(plan: &Plan, document: &PlanDocument) -> String {
    let header = [
        "kind",
        "status",
        "package",
        "installed",
        "repository",
        "fetch",
        "USE",
    ];
    let rows = document.rows.iter().map(cells);
    let rows: Vec<_> = std::iter::once(header.map(str::to_owned))
        .chain(rows)
        .collect();
    let mut text = String::new();
    if rows.len() > 1 {
        text = output::table(&rows) + "\n";
    }
    text += &totals_text(&document.totals);
    if plan.status != 0 {
        let _ = writeln!(
            text,
            "emerge refused it: it ended with status {}",
            plan.status
        );
    }
    for notice in &document.notices {
        let _ = write!(text, "\n{}:\n", kind_name(&notice.kind));
        for line in notice.text.lines() {
            let line = format!("    {}", output::harmless(line));
            let _ = writeln!(text, "{}", line.trim_end());
        }
    }
    text
}

/// `kind` as it is written in JSON.
fn kind_name(kind: &NoticeKind) -> String {
    let value = serde_json::to_value(kind).unwrap_or_default();
    value["kind"].as_str().unwrap_or("notice").to_owned()
}

fn cells(row: &DocumentRow) -> [String; 7] {
    let kind = match row.kind {
        DocumentRowKind::Ebuild => "ebuild",
        DocumentRowKind::Binary => "binary",
        DocumentRowKind::NoMerge => "nomerge",
        DocumentRowKind::Uninstall => "uninstall",
        DocumentRowKind::Blocks => "blocks",
    };
    let by: Vec<String> = row.by.iter().flatten().map(ToString::to_string).collect();
    let package = match &row.blocked {
        Some(blocked) => format!("{blocked} by {}", by.join(", ")),
        None => package(row),
    };
    let previous: Vec<&str> = row
        .previous
        .iter()
        .map(|version| version.as_str())
        .collect();
    [
        kind.to_owned(),
        row.status.clone(),
        package,
        previous.join(", "),
        row.repository
            .as_ref()
            .map_or_else(String::new, ToString::to_string),
        row.size_bytes.map_or_else(String::new, size),
        flags(row),
    ]
}

/// `cat/pkg-1.0-5:0/2 to /other/root`
fn package(row: &DocumentRow) -> String {
    let mut text = row
        .cpv
        .as_ref()
        .map_or_else(String::new, ToString::to_string);
    if let Some(build_id) = row.build_id {
        let _ = write!(text, "-{build_id}");
    }
    if let Some(slot) = &row.slot {
        let _ = write!(text, ":{slot}");
    }
    if let Some(subslot) = &row.subslot {
        let _ = write!(text, "/{subslot}");
    }
    if let Some(root) = &row.root {
        let _ = write!(text, " to {root}");
    }
    text
}

/// The flags with Portage's marks: `*` changed, `%` new, `( )` forced or masked.
fn flags(row: &DocumentRow) -> String {
    let flags = &row.use_flags;
    let marked = |sign: &str, flag: &UseFlag| {
        let changed = if flags.changed.contains(flag) {
            "*"
        } else {
            ""
        };
        let new = if flags.new.contains(flag) { "%" } else { "" };
        let text = format!("{sign}{flag}{new}{changed}");
        if flags.forced.contains(flag) {
            format!("({text})")
        } else {
            text
        }
    };
    let enabled = flags.enabled.iter().map(|flag| marked("", flag));
    let disabled = flags.disabled.iter().map(|flag| marked("-", flag));
    let removed = flags.removed.iter().map(|flag| format!("(-{flag}%)"));
    let words: Vec<String> = enabled.chain(disabled).chain(removed).collect();
    words.join(" ")
}

/// Portage prints KiB, so nothing finer is known.
fn size(bytes: u64) -> String {
    format!("{} KiB", bytes / 1024)
}

/// `packages: 14 (7 upgraded, 3 new); to fetch: 0 KiB`
fn totals_text(totals: &Totals) -> String {
    let parts = [
        (totals.upgrades, "upgraded"),
        (totals.downgrades, "downgraded"),
        (totals.new, "new"),
        (totals.new_slots, "in a new slot"),
        (totals.reinstalls, "reinstalled"),
        (totals.binaries, "as a binary"),
        (totals.uninstalls, "removed"),
        (totals.interactive, "interactive"),
        (totals.fetch_restricted, "to fetch by hand"),
        (totals.blocks, "blocking"),
        (totals.blocks_unsatisfied, "blocking without a way out"),
    ];
    let parts = parts.iter().filter(|(count, _)| *count > 0);
    let parts: Vec<String> = parts
        .map(|(count, what)| format!("{count} {what}"))
        .collect();
    let details = match parts.as_slice() {
        [] => String::new(),
        parts => format!(" ({})", parts.join(", ")),
    };
    format!(
        "packages: {}{details}; to fetch: {}\n",
        totals.packages,
        size(totals.size_bytes)
    )
}
