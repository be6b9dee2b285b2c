//! What the broker is, and who works on it.

use std::sync::Arc;
use std::time::Duration;

use gentoo_updater_bus::amqp::{Examination, Examined, Unreached, examine};
use gentoo_updater_bus::topology::{DEAD, Topology, role_of};
use gentoo_updater_bus::{BusError, Health};
use gentoo_updater_fleet::authority::{User, Users};
use gentoo_updater_fleet::config::{Access, Broker, Settings};
use gentoo_updater_fleet::doctor::{
    self, BrokerFacts, BrokerFault, BrokerReached, Certificate, Seen, Workers,
};
use gentoo_updater_fleet::message::Role;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::open::{self, Opened};
use crate::planner;
use crate::workers::{self, WorkersOptions};

/// How long it takes at the least to connect, and to read what the history holds.
const TO_READ: Duration = Duration::from_secs(30);

/// Looks at the broker; within this time at each of the two, what it is and who works on it.
pub(super) async fn look(
    settings: &Arc<Settings>,
    broker: &Broker,
    limit: Duration,
) -> BrokerFacts {
    let examination = Examination {
        url: broker.url.clone(),
        ca: broker.ca.clone(),
        name: "gentoo-updater doctor".to_owned(),
        topology: Topology::of(settings),
        declares: declares(broker),
    };
    let mut facts = BrokerFacts {
        vhost: String::new(),
        is_separate: broker.access == Access::Separate,
        version: None,
        certificate: None,
        reached: Err(BrokerFault::Unreachable(format!(
            "it did not answer within {} s",
            limit.as_secs()
        ))),
    };
    let examined = match timeout(limit, examine(&examination)).await {
        Ok(Ok(examined)) => examined,
        Ok(Err(error)) => {
            facts.reached = Err(fault(error));
            return facts;
        }
        Err(_) => return facts,
    };
    let Examined {
        vhost,
        version,
        certificate_expires,
        topology,
        ..
    } = examined;
    (facts.vhost, facts.version) = (vhost, version);
    facts.certificate = certificate_expires.map(|expires| Certificate { expires });
    facts.reached = match topology {
        Err(Unreached::Unreachable(why)) => Err(BrokerFault::Unreachable(why)),
        Err(Unreached::Fatal(error)) => Err(fault(error)),
        Ok(found) => {
            let is_as_expected = found.missing.is_empty() && found.different.is_empty();
            let mut reached = BrokerReached {
                topology: doctor::Topology {
                    missing: found.missing,
                    different: found.different,
                },
                ..BrokerReached::default()
            };
            // Whoever opens the bus declares what is missing.
            if is_as_expected {
                (reached.blocked, reached.seen) = who_works(settings, limit).await;
            }
            Ok(reached)
        }
    };
    facts
}

/// Whether the user of the configuration may declare things.
fn declares(broker: &Broker) -> bool {
    if broker.access == Access::Shared {
        return true;
    }
    let users = Users::new(&broker.user_prefix);
    let authority = broker.url.split_once("://").map_or("", |(_, rest)| rest);
    let user = authority.split([':', '@']).next().unwrap_or_default();
    let declaring = [Role::Planner, Role::Operator].map(User::Role);
    users
        .find(user)
        .is_some_and(|user| declaring.contains(&user))
}

fn fault(error: BusError) -> BrokerFault {
    match &error {
        BusError::Untrusted { .. } | BusError::Certificates { .. } => {
            BrokerFault::Untrusted(error.to_string())
        }
        _ => BrokerFault::Refuses(error.to_string()),
    }
}

/// Why the broker takes no messages, if so, and who works on it otherwise.
async fn who_works(settings: &Arc<Settings>, limit: Duration) -> (Option<String>, Seen) {
    // Workers have to be listened to for a heartbeat.
    let limit = limit.max(settings.policy.heartbeat + TO_READ);
    let looked = timeout(limit, async {
        let opened = open::to_change(settings).await?;
        let health = opened.inspect.probe().await;
        let seen = match &health {
            Ok(Health::Good) => listen(settings, &opened).await,
            _ => Ok(Seen::Nothing),
        };
        opened.bus.close().await;
        let blocked = match health? {
            Health::Good => None,
            Health::Blocked(why) | Health::Disconnected(why) => Some(why),
        };
        anyhow::Ok((blocked, seen?))
    });
    match looked.await {
        Ok(Ok(looked)) => looked,
        Ok(Err(error)) => (None, Seen::Failed(format!("{error:#}"))),
        Err(_) => {
            let why = format!("it was not read within {} s", limit.as_secs());
            (None, Seen::Failed(why))
        }
    }
}

async fn listen(settings: &Arc<Settings>, opened: &Opened) -> anyhow::Result<Seen> {
    let stop = CancellationToken::new();
    let options = WorkersOptions::default();
    let bus = &opened.bus;
    let (heard, looked, dead, snapshot, end) = tokio::join!(
        planner::is_heard(bus.as_ref()),
        workers::look(settings, bus, &options, &stop),
        bus.queue(DEAD),
        bus.newest_snapshot(),
        bus.end(),
    );
    let queues = Topology::of(settings).queues().into_iter();
    let queues = queues.filter_map(|queue| Some((queue.name.clone(), role_of(&queue.name)?)));
    Ok(Seen::All(Workers {
        planner_is_heard: heard?,
        workers: looked?.workers,
        queues: queues.collect(),
        dead_letters: dead?.map_or(0, |state| state.ready),
        has_snapshot: snapshot?.is_some(),
        events: end?.map_or(0, |offset| offset + 1),
    }))
}
