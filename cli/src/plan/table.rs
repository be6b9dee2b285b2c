//! The batch as a table. Pure.

use gentoo_updater_fleet::inspect::{PlanJob, PlanProgress, PlanView};
use gentoo_updater_fleet::name::{GuestName, JobId};
use gentoo_updater_fleet::words::{counted, seconds};
use jiff::{SignedDuration, Timestamp};

use crate::output;
use crate::time::words;

/// How many guests or jobs a cell names; of the others it tells the number.
const NAMED: usize = 4;

/// The table, with the sums and the rings below it.
pub(super) fn text(view: &PlanView, now: Timestamp) -> String {
    let without = match view.not_asked.as_slice() {
        [] => String::new(),
        guests => {
            let names: Vec<&str> = guests.iter().map(GuestName::as_str).collect();
            format!(
                "Without {}, which could not be asked: `gentoo-updater status` says why.\n",
                names.join(", ")
            )
        }
    };
    if view.jobs.is_empty() {
        return format!("Run {}: nothing is to be built.\n{without}", view.run);
    }
    let before = before_all(view);
    let header = [
        "JOB", "PACKAGE", "USE", "FOR", "EXPECTED", "PATH", "PROGRESS",
    ];
    let mut rows = vec![header.map(str::to_owned)];
    rows.extend(view.jobs.iter().map(|job| row(view, job, now)));
    let mut text = format!(
        "Run {}\n{without}{before}\n{}\n",
        view.run,
        output::table(&rows)
    );
    let totals = &view.totals;
    let lengths = format!(
        "{} of work, {} of it left; {} built, {} failed or held back\n",
        milliseconds(totals.work_ms),
        milliseconds(totals.left_ms),
        totals.built,
        totals.failed
    );
    text.push_str(&format!("{}: {lengths}", counted(totals.jobs, "job")));
    let path: Vec<String> = totals
        .critical_path
        .iter()
        .map(|id| name(view, id))
        .collect();
    text.push_str(&format!(
        "Critical path, {}: {}\n",
        milliseconds(totals.critical_ms),
        path.join(" > ")
    ));
    if totals.guessed > 0 {
        let guessed = counted(totals.guessed, "duration");
        text.push_str(&format!("{guessed} guessed (?): never built before\n"));
    }
    for ring in &view.rings {
        text.push_str(&format!(
            "Ring: {} need each other; {} first",
            list(view, &ring.jobs),
            name(view, &ring.first)
        ));
        match ring.lacks.is_empty() {
            true => text.push('\n'),
            false => text.push_str(&format!(
                ", without {}: with what its builder has of it\n",
                list(view, &ring.lacks)
            )),
        }
    }
    output::harmless(&text)
}

/// What should be known before anything is installed.
fn before_all(view: &PlanView) -> String {
    let barriers = view.barriers.iter().map(|barrier| {
        format!(
            "First, as a step of its own: {barrier}; the rest follows by itself in a further round.\n"
        )
    });
    let unapproved = view
        .unapproved
        .iter()
        .map(|unapproved| format!("Not without an approval: {unapproved}.\n"));
    barriers.chain(unapproved).collect()
}

/// What a run without a batch waits for.
pub(super) fn not_planned(view: &PlanView) -> String {
    if view.scan_only {
        return format!(
            "Run {} shows only what is pending, and plans nothing: `gentoo-updater report` has it.",
            view.run
        );
    }
    let waits = match view.waits_for.as_slice() {
        [] => "a planner".to_owned(),
        tasks => tasks.join(", "),
    };
    format!("Run {} has no batch yet: it waits for {waits}.", view.run)
}

fn row(view: &PlanView, job: &PlanJob, now: Timestamp) -> [String; 7] {
    let guests: Vec<&str> = job.wanted_by.iter().map(GuestName::as_str).collect();
    let guess = if job.guessed { "?" } else { "" };
    let is_built = matches!(job.progress, PlanProgress::Built { .. });
    let mark = if job.critical { "*" } else { "" };
    [
        job.job.short().to_owned(),
        format!("{}:{}", job.cpv, job.slot),
        match job.differing_use.as_slice() {
            [] => "-".to_owned(),
            flags => flags.join(" "),
        },
        match guests.as_slice() {
            [] => "builds only".to_owned(),
            guests => bounded(guests, " "),
        },
        format!("{}{guess}", milliseconds(job.duration_ms)),
        match is_built {
            true => format!("-{mark}"),
            false => format!("{}{mark}", milliseconds(job.path_ms)),
        },
        progress(view, job, now),
    ]
}

fn progress(view: &PlanView, job: &PlanJob, now: Timestamp) -> String {
    match &job.progress {
        PlanProgress::Waiting => {
            let needs: Vec<String> = job.waits_for.iter().map(|id| name(view, id)).collect();
            let needs: Vec<&str> = needs.iter().map(String::as_str).collect();
            format!("waits for {}", bounded(&needs, ", "))
        }
        PlanProgress::Ready if job.too_large => {
            format!("ready, and no builder has the {} that it needs", job.needs)
        }
        PlanProgress::Ready if !job.needs.is_none() => format!("ready, needs {}", job.needs),
        PlanProgress::Ready => "ready".to_owned(),
        PlanProgress::Claimed { by, since } => {
            format!("{by}, for {}", words(now.duration_since(*since)))
        }
        PlanProgress::Built { on, reused: true } => format!("reused, {on}"),
        PlanProgress::Built { on, reused: false } => format!("built, {on}"),
        PlanProgress::Failed { cause } => format!("FAILED: {cause}"),
        PlanProgress::HeldBack { by } => format!("held back by {}", name(view, by)),
    }
}

fn name(view: &PlanView, id: &JobId) -> String {
    let job = view.job(id);
    job.map_or_else(|| id.short().to_owned(), |job| job.cpv.to_string())
}

fn list(view: &PlanView, ids: &[JobId]) -> String {
    let names: Vec<String> = ids.iter().map(|id| name(view, id)).collect();
    names.join(", ")
}

fn bounded(names: &[&str], between: &str) -> String {
    let (named, others) = names.split_at(names.len().min(NAMED));
    let named = named.join(between);
    match others.len() {
        0 => named,
        others => format!("{named} and {others} more"),
    }
}

fn milliseconds(ms: u64) -> String {
    let duration = SignedDuration::from_millis(i64::try_from(ms).unwrap_or(i64::MAX));
    seconds(duration)
}
