//! A plan as text: everything that the reader found, for comparison with what was expected.

use gentoo_updater_portage::name::SlotAndSubslot;
use gentoo_updater_portage::plan::{Block, FlagSet, Notice, Plan, PlanError, Row};

/// A row in one line.
pub(crate) fn row(row: &Row) -> String {
    let mut parts = vec![
        format!("{:?}", row.kind).to_lowercase(),
        row.status.to_string(),
    ];
    let build_id = row.build_id.map(|id| format!(" #{id}")).unwrap_or_default();
    let repository = |name: &Option<_>| match name {
        Some(name) => format!(" {name}"),
        None => " ?".to_owned(),
    };
    parts.push(format!(
        "{}{build_id} {}{}",
        row.cpv,
        slot(&row.slot),
        repository(&row.repository)
    ));
    parts.extend(row.previous.iter().map(|previous| {
        format!(
            "from {} {}{}",
            previous.version,
            slot(&previous.slot),
            repository(&previous.repository)
        )
    }));
    parts.extend(row.root.iter().map(|root| format!("to {root:?}")));
    let flags = |sign: &str, set: &FlagSet| -> Vec<String> {
        set.iter().map(|flag| format!("{sign}{flag}")).collect()
    };
    let state = &row.use_flags;
    parts.extend(flags("+", &state.enabled));
    parts.extend(flags("-", &state.disabled));
    parts.extend(flags("*", &state.changed));
    parts.extend(flags("%", &state.new));
    parts.extend(flags("!", &state.forced));
    parts.extend(flags("removed ", &state.removed));
    parts.extend(row.size_bytes.map(|bytes| format!("{bytes} bytes")));
    parts.retain(|part| !part.is_empty());
    parts.join(" ")
}

fn slot(slot: &Option<SlotAndSubslot>) -> String {
    match slot {
        Some(slot) => format!(":{slot}"),
        None => ":?".to_owned(),
    }
}

pub(crate) fn block(block: &Block) -> String {
    let by: Vec<String> = block.by.iter().map(ToString::to_string).collect();
    let satisfied = if block.satisfied {
        ""
    } else {
        ", not resolved"
    };
    format!("block {} by {}{satisfied}", block.blocked, by.join(" "))
}

/// A notice: its kind with what it holds, and its first line.
fn notice(notice: &Notice) -> String {
    let mark = if notice.kind.is_objection() {
        "objection"
    } else {
        "notice"
    };
    format!(
        "{mark} {} {:?}",
        serde_json::to_string(&notice.kind).unwrap(),
        notice.text.lines().next().unwrap_or_default()
    )
}

pub(crate) fn plan(plan: &Plan) -> String {
    let mut lines: Vec<String> = plan.rows.iter().map(row).collect();
    lines.extend(plan.blocks.iter().map(block));
    lines.push(format!(
        "status {}, {} bytes to fetch",
        plan.status, plan.totals.size_bytes
    ));
    lines.extend(plan.notices.iter().map(notice));
    lines.join("\n")
}

pub(crate) fn result(result: &Result<Plan, PlanError>) -> String {
    match result {
        Ok(found) => plan(found),
        Err(error) => {
            let mut lines = vec![format!("error: {error}")];
            if let PlanError::Refused { notices, .. } | PlanError::EmptyContradicted { notices } =
                error
            {
                lines.extend(notices.iter().map(notice));
            }
            lines.join("\n")
        }
    }
}
