//! What the user of guest `web` gets past the broker, and no reader believes.

use gentoo_updater_bus::topology::{DEAD, EVENTS, routing_key};
use gentoo_updater_bus::{Bus, Position, Unusable};
use gentoo_updater_fleet::name::EventId;
use gentoo_updater_fleet::state::Fleet;
use lapin::BasicProperties;
use lapin::types::{AMQPValue, FieldArray, FieldTable};

use super::attacks::publish;
use super::*;

/// A message under a key that its user may use.
struct Attack {
    name: &'static str,
    key: String,
    user: Option<&'static str>,
    headers: FieldTable,
    body: Vec<u8>,
}

impl Attack {
    fn new(name: &'static str, key: &str, message: &Value) -> Self {
        Self {
            name,
            key: key.to_owned(),
            user: Some("fleet.guest.web"),
            headers: FieldTable::default(),
            body: message.to_string().into_bytes(),
        }
    }

    fn without_user(mut self) -> Self {
        self.user = None;
        self
    }

    /// With copies to other routing keys, by the header `CC` or `BCC`.
    fn copied(mut self, header: &str, keys: &[&str]) -> Self {
        let keys = keys.iter().map(|key| AMQPValue::LongString((*key).into()));
        let keys = FieldArray::from(keys.collect::<Vec<_>>());
        self.headers
            .insert(header.into(), AMQPValue::FieldArray(keys));
        self
    }

    fn properties(&self) -> BasicProperties {
        let properties = BasicProperties::default().with_headers(self.headers.clone());
        match self.user {
            Some(user) => properties.with_user_id(user.into()),
            None => properties,
        }
    }
}

const OWN: &str = "installer@agent.web";

/// An event of an installer about a guest.
fn of_guest(kind: &str, guest: &str, sender: &str) -> Value {
    let mut message = sample(kind, sender);
    message["body"]["guest"] = guest.into();
    message
}

fn started(kind: &str, subject: &str, worker: &str) -> Value {
    let mut message = sample("WorkStarted", OWN);
    message["body"]["work"]["task"] = serde_json::json!({ "kind": kind, "subject": subject });
    message["body"]["worker"] = worker.into();
    message["body"]["builder"] = Value::Null;
    message
}

fn registered(worker: &str, role: &str, queue: &str) -> Value {
    let mut message = sample("WorkerRegistered", OWN);
    message["body"] = serde_json::json!({ "worker": worker, "role": role, "queues": [queue] });
    message
}

fn attacks() -> Vec<Attack> {
    let own = "event.GuestUpdated.none";
    let claim = "event.WorkStarted.none";
    let alive = "alive.worker.installer@agent.web";
    let built = sample("PackageBuilt", OWN);
    let built_by_builder = sample("PackageBuilt", "builder@b1");
    let mine = event(&of_guest("GuestUpdated", "web", OWN));
    let mine_key = routing_key(&mine);
    let of_queues = ["scan", "plan", "install.mail", "dead", "history"];
    let mut garbage = Attack::new(
        "what is no message, with copies to queues",
        own,
        &Value::Null,
    )
    .copied("CC", &of_queues);
    garbage.body = b"{".to_vec();
    vec![
        Attack::new("a build under its own id", own, &built),
        Attack::new("a build under the id of a builder", own, &built_by_builder),
        Attack::new("a build with a copy to its key by CC", own, &built)
            .copied("CC", &["event.PackageBuilt.none"]),
        Attack::new("a build with a copy to its key by BCC", own, &built)
            .copied("BCC", &["event.PackageBuilt.none"]),
        Attack::new("a build with copies to queues by CC", own, &built).copied("CC", &of_queues),
        Attack::new("a build with copies to queues by BCC", own, &built).copied("BCC", &of_queues),
        Attack::new("a build with a copy as a sign of life", alive, &built)
            .copied("CC", &["event.PackageBuilt.none"]),
        Attack::new("an order", own, &sample("CommandIssued", OWN)),
        Attack::new(
            "a command with a copy to a queue",
            own,
            &sample("ScanGuest", "planner@1"),
        )
        .copied("CC", &["scan", "install.web"]),
        Attack::new("a run", own, &sample("RunRequested", OWN)),
        Attack::new("a pause", own, &sample("PauseRequested", "operator@desk")),
        Attack::new("the end of a run", own, &sample("RunFinished", "planner@1")),
        Attack::new(
            "a planner's beat",
            own,
            &sample("PlannerAlive", "planner@1"),
        )
        .copied("CC", &["alive.planner.planner@1"]),
        Attack::new(
            "an update of another",
            own,
            &of_guest("GuestUpdated", "mail", OWN),
        ),
        Attack::new(
            "an update of another, in its name",
            own,
            &of_guest("GuestUpdated", "mail", "installer@agent.mail"),
        ),
        Attack::new(
            "its own update in the name of another",
            own,
            &of_guest("GuestUpdated", "web", "installer@agent.mail"),
        ),
        Attack::new("its own update without user", &mine_key, &value(&mine)).without_user(),
        // It would wake the planner and never come to the history, which the planner waits for.
        Attack::new("its own update as a sign of life", alive, &value(&mine)),
        Attack::new(
            "a claim of another's work",
            claim,
            &started("install", "mail", OWN),
        ),
        Attack::new("a claim of a scan", claim, &started("scan", "web", OWN)),
        Attack::new(
            "a claim in the name of another",
            claim,
            &started("install", "web", "installer@agent.mail"),
        ),
        Attack::new(
            "a worker of another queue",
            "event.WorkerRegistered.none",
            &registered(OWN, "installer", "build.default"),
        ),
        Attack::new(
            "a worker of another role",
            "event.WorkerRegistered.none",
            &registered(OWN, "builder", "install.web"),
        ),
        Attack::new(
            "another worker",
            "event.WorkerRegistered.none",
            &registered("installer@agent.mail", "installer", "install.web"),
        ),
        garbage,
    ]
}

fn value(event: &Envelope<Event>) -> Value {
    serde_json::from_slice(&event.encode().unwrap()).unwrap()
}

/// The state that a user of the fleet makes of the history, what it left out, and as which.
async fn fold(bus: &Amqp, last: EventId) -> (Fleet, Vec<EventId>, usize) {
    let (mut fleet, mut believed, mut left_out) = (Fleet::default(), Vec::new(), 0);
    let mut history = bus.history(Position::First).await.unwrap();
    loop {
        let item = within(history.next()).await.unwrap();
        match item.event {
            Ok(event) => {
                fleet.apply(item.offset, &event);
                believed.push(event.id);
                if event.id == last {
                    return (fleet, believed, left_out);
                }
            }
            Err(Unusable::Refused(_) | Unusable::Decode(_)) => left_out += 1,
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_reader_believes_what_a_guest_may_not_say_and_the_planner_buries_it() {
    let vhost = set_up();
    let (planner, operator, agent) = (
        open_as(&vhost, "planner").await,
        open_as(&vhost, "operator").await,
        open_as(&vhost, "guest.web").await,
    );
    let web = connect_as(&vhost, "guest.web").await;
    let before = event(&registered(OWN, "installer", "install.web"));
    within(agent.publish(&before)).await.unwrap();
    let judges_copies = !vhost.broker.version().starts_with("3.");
    let mut attacks = Vec::new();
    for attack in self::attacks() {
        let properties = attack.properties();
        let answer = publish(&web, EVENTS, &attack.key, properties, &attack.body).await;
        // RabbitMQ 4 judges the keys of copies, too, and refuses those itself.
        if answer == 403 && judges_copies && !attack.headers.inner().is_empty() {
            continue;
        }
        assert_eq!(answer, 200, "the broker takes: {}", attack.name);
        attacks.push(attack);
    }
    let after = event(&of_guest("GuestUpdated", "web", OWN));
    within(agent.publish(&after)).await.unwrap();

    // Readers under two users make the same of it: what is true, and nothing else.
    let (seen, believed, left_out) = fold(&planner, after.id).await;
    assert_eq!(believed, [before.id, after.id]);
    // What came as a sign of life and without a copy is not in the history at all.
    assert_eq!(left_out, attacks.len() - 1);
    let (other, same, _) = fold(&operator, after.id).await;
    assert_eq!((seen.clone(), &believed), (other, &same));
    assert_eq!(seen.workers.len(), 1);
    assert!(seen.runs.is_empty());

    // The planner wakes for the true ones only, and each other one is a dead letter.
    let mut wakeups = planner.wakeups().await.unwrap();
    for expected in [&before, &after] {
        let woken = within(wakeups.next()).await.unwrap();
        assert_eq!(woken.event, *expected);
        woken.settle.ack().await.unwrap();
    }
    let (connection, channel) = crate::support::raw(&vhost).await;
    for attack in &attacks {
        let letter = crate::support::get_soon(&channel, DEAD).await;
        assert_eq!(letter.delivery.data, attack.body, "{}", attack.name);
        let cause = crate::support::header(&letter, "cause");
        let is_named = cause.starts_with("refused: ") || cause.contains("cannot be decoded");
        assert!(is_named, "{}: {cause}", attack.name);
    }
    let letter = crate::support::get(&channel, DEAD).await;
    assert!(letter.is_none(), "a copy became a dead letter, too");
    // No copy came into the queue of somebody else.
    for queue in ["scan", "install.mail", "install.web", "build.default"] {
        let got = crate::support::get(&channel, queue).await;
        assert!(got.is_none(), "{queue}");
    }
    connection.close(200, "".into()).await.unwrap();
    web.close(200, "".into()).await.unwrap();
    tokio::join!(planner.close(), operator.close(), agent.close());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_obeys_nobody_but_planner_and_operator() {
    let vhost = set_up();
    let scanner = open_as(&vhost, "scanner").await;
    let (connection, channel) = crate::support::raw(&vhost).await;
    // By somebody who may write everywhere, and is none of the fleet.
    let order = command("ScanGuest", RunId::generate());
    let forged = order.encode().unwrap();
    crate::support::send_raw(&channel, "gentoo-updater.commands", "scan", &forged).await;
    let operator = open_as(&vhost, "operator").await;
    let retried = command("ScanGuest", RunId::generate());
    within(operator.issue("scan", &retried)).await.unwrap();
    let mut commands = scanner.commands(&["scan".to_owned()]).await.unwrap();
    let delivery = within(commands.next()).await.unwrap();
    assert_eq!(delivery.command, retried);
    delivery.settle.ack().await.unwrap();
    let letter = crate::support::get_soon(&channel, DEAD).await;
    assert_eq!(letter.delivery.data, forged);
    let cause = crate::support::header(&letter, "cause");
    assert_eq!(cause, "refused: a ScanGuest that no user stands for");
    connection.close(200, "".into()).await.unwrap();
    tokio::join!(scanner.close(), operator.close());
}
