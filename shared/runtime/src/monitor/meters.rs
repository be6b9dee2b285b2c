//! What every process tells of itself.

use gentoo_updater_bus::Health;
use gentoo_updater_bus::follow::FleetView;
use gentoo_updater_telemetry::{Label, Metric};

/// The metrics of every process that is started with `--metrics`.
pub const PROCESS: &[&Metric] = &[
    &BUILD_INFO,
    &CPU_SECONDS,
    &START_TIME,
    &RESIDENT_BYTES,
    &VIRTUAL_BYTES,
    &OPEN_FDS,
    &MAX_FDS,
    &THREADS,
];

/// The metrics of every process that is connected to others.
pub const CONNECTED: &[&Metric] = &[
    &BUS_CONNECTED,
    &BUS_BLOCKED,
    &HISTORY_OFFSET,
    &HISTORY_READ,
    &HISTORY_BEHIND,
    &HISTORY_LEFT_OUT,
];

const VERSION: Label = Label::named("version", "the version of the program");
const PROGRAM: Label = Label::named("program", "the name of the program");

const BUILD_INFO: Metric = Metric::gauge(
    "gentoo_updater_build_info",
    &[PROGRAM, VERSION],
    "Always 1; its labels say what runs",
);
pub(super) const CPU_SECONDS: Metric = Metric::counter(
    "process_cpu_seconds_total",
    &[],
    "User and system CPU time spent in seconds",
);
pub(super) const START_TIME: Metric = Metric::gauge(
    "process_start_time_seconds",
    &[],
    "Start time of the process in seconds since 1970-01-01 UTC",
);
pub(super) const RESIDENT_BYTES: Metric = Metric::gauge(
    "process_resident_memory_bytes",
    &[],
    "Resident memory in bytes",
);
pub(super) const VIRTUAL_BYTES: Metric = Metric::gauge(
    "process_virtual_memory_bytes",
    &[],
    "Virtual memory in bytes",
);
pub(super) const OPEN_FDS: Metric = Metric::gauge("process_open_fds", &[], "Open file descriptors");
pub(super) const MAX_FDS: Metric = Metric::gauge(
    "process_max_fds",
    &[],
    "How many file descriptors may be open",
);
pub(super) const THREADS: Metric = Metric::gauge("process_threads", &[], "Threads");

const BUS_CONNECTED: Metric = Metric::gauge(
    "gentoo_updater_bus_connected",
    &[],
    "1 while this process is connected to the broker",
);
const BUS_BLOCKED: Metric = Metric::gauge(
    "gentoo_updater_bus_blocked",
    &[],
    "1 while the broker takes no messages of this process because of an alarm",
);
const HISTORY_OFFSET: Metric = Metric::gauge(
    "gentoo_updater_history_offset",
    &[],
    "The place in the history of the newest event that this process has applied; who lags is behind \
     the highest of all processes",
);
const HISTORY_READ: Metric = Metric::gauge(
    "gentoo_updater_history_events_read",
    &[],
    "How many events of the history this process has read since its start",
);
const HISTORY_BEHIND: Metric = Metric::gauge(
    "gentoo_updater_history_lag_seconds",
    &[],
    "How long after it was made the newest event of the history was applied here, by the clocks of \
     both machines",
);
const HISTORY_LEFT_OUT: Metric = Metric::gauge(
    "gentoo_updater_history_left_out_events",
    &[],
    "Events of the history that this program does not understand and has left out",
);

/// Says what runs. The rest of [`PROCESS`] is no matter of the recorder: it is read when somebody asks.
pub(super) fn tell_build(program: &str) {
    BUILD_INFO.describe();
    let version = env!("CARGO_PKG_VERSION");
    BUILD_INFO.set([program.to_owned(), version.to_owned()], 1.0);
}

/// Sets the metrics to what is known of the bus.
pub(super) fn tell_bus(health: &Health) {
    let of = |holds: bool| if holds { 1.0 } else { 0.0 };
    BUS_CONNECTED.put(of(!matches!(health, Health::Disconnected(_))));
    BUS_BLOCKED.put(of(matches!(health, Health::Blocked(_))));
}

/// Sets the metrics to how the history is read.
#[expect(
    clippy::cast_precision_loss,
    reason = "a history of 2^53 events is further than anybody will come"
)]
pub(super) fn tell_history(view: &FleetView) {
    let reading = view.reading();
    if let Some(applied) = reading.applied {
        HISTORY_OFFSET.put(applied as f64);
    }
    HISTORY_READ.put(reading.read as f64);
    HISTORY_BEHIND.put(reading.behind.as_secs_f64());
    HISTORY_LEFT_OUT.put(view.left_out().count as f64);
}
