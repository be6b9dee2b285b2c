//! The metrics that say how the bus is.

use gentoo_updater_bus::Health;
use metrics::{describe_gauge, gauge};

const CONNECTED: &str = "gentoo_updater_bus_connected";
const BLOCKED: &str = "gentoo_updater_bus_blocked";

/// Says what the metrics mean.
pub(super) fn describe() {
    describe_gauge!(CONNECTED, "1 while this process is connected to the broker");
    describe_gauge!(
        BLOCKED,
        "1 while the broker takes no messages of this process because of an alarm"
    );
}

/// Sets the metrics to what is known of the bus.
pub(super) fn measure(health: &Health) {
    let of = |holds: bool| if holds { 1.0 } else { 0.0 };
    gauge!(CONNECTED).set(of(!matches!(health, Health::Disconnected(_))));
    gauge!(BLOCKED).set(of(matches!(health, Health::Blocked(_))));
}
