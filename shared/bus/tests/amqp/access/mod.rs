//! A user for each role and each guest.

mod attacks;
mod letters;
mod notifier;
mod readers;
mod roles;
mod scheduler;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use gentoo_updater_bus::amqp::{Amqp, BrokerSettings, QUIET};
use gentoo_updater_bus::definitions::{UserDefinition, definitions};
use gentoo_updater_bus::permissions::{Permissions, users};
use gentoo_updater_bus::topology::Topology;
use gentoo_updater_fleet::authority::Users;
use gentoo_updater_fleet::message::{Command, Envelope, Event};
use gentoo_updater_fleet::name::{GuestName, RunId, WorkerId};
use lapin::{Connection, ConnectionProperties};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::support::messages::within;
use crate::support::{Broker, Vhost};

/// The prefix of the users, the same on all vhosts of the test broker: they may work at once, and
/// each user's permissions are of a vhost.
const PREFIX: &str = "fleet";

static IMPORTS: Mutex<()> = Mutex::new(());

fn guests() -> Vec<GuestName> {
    ["g1", "web", "mail"]
        .map(|name| name.parse().unwrap())
        .into()
}

fn topology() -> Topology {
    Topology {
        guests: guests().into_iter().collect(),
        builders: ["b1".parse().unwrap()].into(),
        platforms: ["default".parse().unwrap()].into(),
        ..Topology::default()
    }
}

/// A vhost as `broker setup` makes it. The password of each user is its name.
fn set_up() -> Vhost {
    let vhost = Broker::shared().vhost();
    let names = Users::new(PREFIX);
    let all = users(&guests());
    let defined: Vec<UserDefinition> = all
        .iter()
        .map(|user| UserDefinition {
            permissions: Permissions::of(user.clone()),
            password_hash: hash(&names.name_of(user)),
        })
        .collect();
    // A broker does not like to be told of one new user twice at once.
    let _alone = IMPORTS.lock().unwrap_or_else(PoisonError::into_inner);
    let body = definitions(&vhost.name, &topology(), &names, &defined).to_string();
    let (status, answer) = vhost.broker.http("POST", "definitions", &body);
    assert_eq!(status, 204, "{answer}");
    vhost
}

/// As RabbitMQ hashes a password, with one salt for all: tests import the same users at once.
fn hash(password: &str) -> String {
    let salt = b"salt";
    let digest = Sha256::digest([salt, password.as_bytes()].concat());
    BASE64.encode([salt, digest.as_slice()].concat())
}

fn settings(vhost: &Vhost, user: &str) -> BrokerSettings {
    BrokerSettings {
        url: vhost.url_for(&format!("{PREFIX}.{user}")),
        ca: None,
        name: user.to_owned(),
        topology: topology(),
        users: Some(Users::new(PREFIX)),
        quiet: QUIET,
    }
}

/// The bus as a user of the fleet sees it.
async fn open_as(vhost: &Vhost, user: &str) -> Amqp {
    let opened = within(Amqp::open(settings(vhost, user))).await;
    opened.unwrap_or_else(|error| panic!("{user}: {error}"))
}

/// A connection of a user that does what the bus would not.
async fn connect_as(vhost: &Vhost, user: &str) -> Connection {
    let url = vhost.url_for(&format!("{PREFIX}.{user}"));
    Connection::connect(&url, ConnectionProperties::default())
        .await
        .unwrap()
}

/// The messages of the golden files, by kind. They are of guest `g1`.
fn golden() -> BTreeMap<String, Value> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fleet/tests/golden");
    let files = std::fs::read_dir(folder).unwrap();
    files
        .map(|file| {
            let body = std::fs::read(file.unwrap().path()).unwrap();
            let message: Value = serde_json::from_slice(&body).unwrap();
            (message["type"].as_str().unwrap().to_owned(), message)
        })
        .collect()
}

fn sample(kind: &str, sender: &str) -> Value {
    let mut message = golden().remove(kind).unwrap();
    message["id"] = serde_json::to_value(gentoo_updater_fleet::name::EventId::generate()).unwrap();
    message["sender"] = sender.into();
    message
}

fn event(message: &Value) -> Envelope<Event> {
    Envelope::decode(message.to_string().as_bytes()).unwrap()
}

/// A golden command for a run.
fn command(kind: &str, run: RunId) -> Envelope<Command> {
    let mut message = sample(kind, "planner@1");
    message["body"]["run"] = serde_json::to_value(run).unwrap();
    Envelope::decode(message.to_string().as_bytes()).unwrap()
}

fn worker(id: &str) -> WorkerId {
    id.parse().unwrap()
}

fn said(sender: &str, event: Event) -> Envelope<Event> {
    Envelope::new(worker(sender), jiff::Timestamp::now(), event)
}
