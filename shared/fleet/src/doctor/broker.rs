//! Whether the broker is there, is what the fleet needs, and has workers on it.

use std::collections::BTreeMap;

use super::machines::{is_older, some};
use super::{Area, Findings, Kind, Remedy, Subject};
use crate::inspect::{PauseCause, WorkerState, WorkerView};
use crate::message::Role;
use crate::words::counted;

/// The oldest RabbitMQ with which this works.
const OLDEST: [u64; 3] = [3, 10, 0];
/// The first RabbitMQ that takes the limit of consumers from the queue (x-consumer-timeout).
const KNOWS_QUEUE_TIMEOUT: [u64; 3] = [3, 12, 0];
/// From how many days on it is told that a certificate expires.
const SOON_DAYS: i64 = 30;
/// After how many events a planner keeps a snapshot at the latest is twice that: it does after 2,000, and
/// when a run has ended.
const EVENTS_WITHOUT_SNAPSHOT: u64 = 4000;

/// What was seen of the broker.
#[derive(Debug, Clone)]
pub struct BrokerFacts {
    /// The vhost of the configuration.
    pub vhost: String,
    /// Whether each role and each guest has a user of its own.
    pub is_separate: bool,
    /// Its version, as it says it before anybody logs in.
    pub version: Option<String>,
    /// Its certificate, where the way to it is encrypted and it showed one.
    pub certificate: Option<Certificate>,
    /// What was seen behind the login, or why there was none.
    pub reached: Result<BrokerReached, BrokerFault>,
}

/// The certificate of a broker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Certificate {
    /// Until when it is valid, in seconds since 1970.
    pub expires: i64,
}

/// Why nobody can work with the broker.
#[derive(Debug, Clone)]
pub enum BrokerFault {
    /// It does not answer.
    Unreachable(String),
    /// It refuses this user.
    Refuses(String),
    /// It cannot prove who it is.
    Untrusted(String),
}

/// What was seen behind the login.
#[derive(Debug, Clone, Default)]
pub struct BrokerReached {
    /// Why it takes no messages, if so, in its words.
    pub blocked: Option<String>,
    /// Its exchanges and queues.
    pub topology: Topology,
    /// Who works on it.
    pub seen: Seen,
}

/// Exchanges and queues, compared with those that the configuration makes.
#[derive(Debug, Clone, Default)]
pub struct Topology {
    /// Those that are not there.
    pub missing: Vec<String>,
    /// Those that are declared otherwise, with what the broker says.
    pub different: BTreeMap<String, String>,
}

/// Whether it was seen who works.
#[derive(Debug, Clone, Default)]
pub enum Seen {
    /// Nobody looked, and why.
    #[default]
    Nothing,
    /// Somebody looked in vain, and why.
    Failed(String),
    /// All that is said on it.
    All(Workers),
}

/// Who works on the broker.
#[derive(Debug, Clone, Default)]
pub struct Workers {
    /// Whether a planner said that it lives.
    pub planner_is_heard: bool,
    /// The workers.
    pub workers: Vec<WorkerView>,
    /// The queues of commands, and the role that takes from each.
    pub queues: BTreeMap<String, Role>,
    /// How many dead letters there are.
    pub dead_letters: u64,
    /// Whether there is a snapshot.
    pub has_snapshot: bool,
    /// How many events the history has had.
    pub events: u64,
}

pub(super) fn judge(facts: &BrokerFacts, now: u64, findings: &mut Findings) {
    let subject = Subject::Broker;
    findings.looked_at(Area::Broker, &subject);
    certificate(facts, now, findings);
    let reached = match &facts.reached {
        Ok(reached) => reached,
        Err(fault) => return unreached(facts, fault, now, findings),
    };
    version(facts, findings);
    if let Some(why) = &reached.blocked {
        findings.add(
            Kind::BrokerBlocked,
            &subject,
            format!("it takes no messages: {why}"),
            Remedy::new("give it memory or disk; what raised the alarm says, on its machine")
                .by("rabbitmq-diagnostics alarms"),
        );
    }
    topology(&reached.topology, findings);
    match &reached.seen {
        Seen::Nothing => findings.add(
            Kind::WorkersNotSeen,
            &subject,
            "nobody listened for planner and workers, since the broker lacks queues or takes no messages",
            Remedy::new("put that right first, and look again")
                .by("gentoo-updater doctor --only broker"),
        ),
        Seen::Failed(why) => findings.add(
            Kind::HistoryUnreadable,
            &subject,
            format!("the history cannot be followed: {why}"),
            Remedy::new("compare the permissions of the user with what it needs")
                .by("gentoo-updater broker permissions"),
        ),
        Seen::All(seen) => workers(seen, findings),
    }
    partly_seen(facts, findings);
}

/// Seconds of a certificate that are left, where it is known.
fn seconds_left(facts: &BrokerFacts, now: u64) -> Option<i64> {
    let now = i64::try_from(now).unwrap_or(i64::MAX);
    facts.certificate.map(|it| it.expires.saturating_sub(now))
}

fn certificate(facts: &BrokerFacts, now: u64, findings: &mut Findings) {
    let Some(left) = seconds_left(facts, now) else {
        return;
    };
    let days = left / (24 * 3600);
    let remedy =
        Remedy::new("renew it, and have the broker read it anew (its listeners, or a restart)");
    if left <= 0 {
        let found = format!("its certificate expired {} days ago", -days);
        findings.add(Kind::CertificateExpired, &Subject::Broker, found, remedy);
    } else if days < SOON_DAYS {
        let found = format!("its certificate expires in {days} days");
        findings.add(
            Kind::CertificateExpiresSoon,
            &Subject::Broker,
            found,
            remedy,
        );
    }
}

fn unreached(facts: &BrokerFacts, fault: &BrokerFault, now: u64, findings: &mut Findings) {
    let (kind, why, remedy) = match fault {
        BrokerFault::Unreachable(why) => (
            Kind::BrokerUnreachable,
            why,
            Remedy::new("look whether it runs, and whether broker.url names its host and port")
                .by("rabbitmq-diagnostics check_port_connectivity"),
        ),
        BrokerFault::Refuses(why) => (
            Kind::BrokerRefuses,
            why,
            Remedy::new("put broker.url right, or the user and its permissions").by(format!(
                "rabbitmqctl list_permissions --vhost {}",
                facts.vhost
            )),
        ),
        BrokerFault::Untrusted(why) => {
            // That its time is over is said already, with the remedy.
            if seconds_left(facts, now).is_some_and(|left| left <= 0) {
                return;
            }
            (
                Kind::BrokerUntrusted,
                why,
                Remedy::new(
                    "name the authority of its certificate in broker.ca, and its host as the certificate does",
                ),
            )
        }
    };
    findings.add(kind, &Subject::Broker, why.clone(), remedy);
}

fn version(facts: &BrokerFacts, findings: &mut Findings) {
    match &facts.version {
        None => findings.add(
            Kind::BrokerVersionUnknown,
            &Subject::Broker,
            "it does not say its version",
            Remedy::new("see on its machine").by("rabbitmqctl version"),
        ),
        Some(version) if is_older(version, OLDEST) => findings.add(
            Kind::BrokerTooOld,
            &Subject::Broker,
            format!("it is RabbitMQ {version}"),
            Remedy::new("bring it to RabbitMQ 3.10 or later"),
        ),
        Some(_) => {}
    }
}

fn topology(topology: &Topology, findings: &mut Findings) {
    if !topology.missing.is_empty() {
        let names: Vec<&str> = topology.missing.iter().map(String::as_str).collect();
        findings.add(
            Kind::TopologyMissing,
            &Subject::Broker,
            format!("it lacks {}", some(&names)),
            Remedy::new(
                "start a planner with this configuration; where users are separate, `gentoo-updater broker \
                 setup` makes them, too",
            )
            .by("gentoo-updater-planner"),
        );
    }
    for (name, detail) in &topology.different {
        findings.add(
            Kind::TopologyDiffers,
            &Subject::Broker,
            format!("{name} is declared otherwise: {detail}"),
            Remedy::new(
                "use another vhost; or when no run goes on, and nothing waits in it, delete it",
            )
            .by(format!("rabbitmqctl delete_queue {name}")),
        );
    }
}

fn workers(seen: &Workers, findings: &mut Findings) {
    let subject = Subject::Broker;
    if !seen.planner_is_heard {
        findings.add(
            Kind::PlannerSilent,
            &subject,
            "no planner has been heard",
            Remedy::new("start one").by("gentoo-updater-planner"),
        );
    }
    let mut unserved: BTreeMap<Role, Vec<&str>> = BTreeMap::new();
    for (queue, role) in &seen.queues {
        let serves = |worker: &&WorkerView| {
            worker.state != WorkerState::Silent && worker.queues.contains(queue)
        };
        if !seen.workers.iter().any(|worker| serves(&worker)) {
            unserved.entry(*role).or_default().push(queue);
        }
    }
    for (role, queues) in unserved {
        let command = match role {
            Role::Builder => "gentoo-updater-builder --builder NAME".to_owned(),
            role => format!("gentoo-updater-{role}"),
        };
        findings.add(
            Kind::QueueUnserved,
            &subject,
            format!("no living {role} serves {}", some(&queues)),
            Remedy::new("start one that does").by(command),
        );
    }
    for worker in &seen.workers {
        let unfit = worker.paused.iter().find_map(|cause| match cause {
            PauseCause::Unfit { message, .. } => Some(message),
            PauseCause::Operator { .. } => None,
        });
        if let (Some(message), false) = (unfit, worker.state == WorkerState::Silent) {
            findings.add(
                Kind::WorkerUnfit,
                &subject,
                format!("{} takes no work: {message}", worker.worker),
                Remedy::new("put that right on its machine; the worker looks again by itself"),
            );
        }
    }
    if seen.dead_letters > 0 {
        findings.add(
            Kind::DeadLetters,
            &subject,
            counted(seen.dead_letters, "dead letter"),
            Remedy::new("see what they are, and put them back or delete them")
                .by("gentoo-updater dead list"),
        );
    }
    if !seen.has_snapshot && seen.events > EVENTS_WITHOUT_SNAPSHOT {
        findings.add(
            Kind::SnapshotMissing,
            &subject,
            format!(
                "the history has had {}, and there is no snapshot",
                counted(seen.events, "event")
            ),
            Remedy::new("see why in the log of the planner, which keeps one after 2,000 events"),
        );
    }
}

/// What AMQP does not tell.
fn partly_seen(facts: &BrokerFacts, findings: &mut Findings) {
    let version = facts.version.as_deref().unwrap_or_default();
    let mut unseen = vec!["feature flags", "bindings"];
    if is_older(version, KNOWS_QUEUE_TIMEOUT) {
        unseen.push("consumer_timeout of the node, which no queue can set before 3.12");
    }
    if facts.is_separate {
        unseen.push("the permissions of the other users");
    }
    let command = match facts.is_separate {
        true => format!("rabbitmqctl list_permissions --vhost {}", facts.vhost),
        false => "rabbitmqctl list_feature_flags".to_owned(),
    };
    findings.add(
        Kind::BrokerPartlySeen,
        &Subject::Broker,
        format!("not to be seen without its management: {}", unseen.join("; ")),
        Remedy::new("on its machine `rabbitmqctl list_feature_flags`, `rabbitmqctl environment` and `rabbitmqctl list_permissions` tell it")
            .by(command),
    );
}

#[cfg(test)]
#[path = "broker_tests.rs"]
mod tests;
