//! The topology and its users as a definitions file, which a broker imports as a whole.
//!
//! What is in it already stays as it is, and what else the broker has is not touched. See
//! <https://www.rabbitmq.com/docs/definitions>.

use gentoo_updater_fleet::authority::Users;
use serde_json::{Map, Value, json};

use crate::permissions::Permissions;
use crate::topology::{Argument, EVENTS, ExchangeKind, QueueDeclaration, Topology};

/// A user who may do something, and the hash of its password.
pub struct UserDefinition {
    /// What it may do.
    pub permissions: Permissions,
    /// As RabbitMQ keeps it, see <https://www.rabbitmq.com/docs/passwords>.
    pub password_hash: String,
}

/// The definitions file of a fleet.
pub fn definitions(
    vhost: &str,
    topology: &Topology,
    names: &Users,
    users: &[UserDefinition],
) -> Value {
    let queues = topology.queues();
    let exchanges = topology.exchanges().into_iter();
    let list = |each: &dyn Fn(&UserDefinition) -> Value| users.iter().map(each).collect::<Vec<_>>();
    json!({
        "vhosts": [{ "name": vhost }],
        "users": list(&|user| json!({
            "name": names.name_of(&user.permissions.user),
            "password_hash": user.password_hash,
            "hashing_algorithm": "rabbit_password_hashing_sha256",
            "tags": [],
        })),
        "permissions": list(&|user| json!({
            "user": names.name_of(&user.permissions.user),
            "vhost": vhost,
            "configure": user.permissions.configure,
            "write": user.permissions.write,
            "read": user.permissions.read,
        })),
        "topic_permissions": list(&|user| json!({
            "user": names.name_of(&user.permissions.user),
            "vhost": vhost,
            "exchange": EVENTS,
            "write": user.permissions.topic_write,
            "read": user.permissions.topic_read,
        })),
        "exchanges": exchanges.map(|(name, kind)| json!({
            "name": name,
            "vhost": vhost,
            "type": kind_of(kind),
            "durable": true,
            "auto_delete": false,
            "internal": false,
            "arguments": {},
        })).collect::<Vec<_>>(),
        "queues": queues.iter().map(|queue| json!({
            "name": queue.name,
            "vhost": vhost,
            "durable": true,
            "auto_delete": false,
            "arguments": arguments(queue),
        })).collect::<Vec<_>>(),
        "bindings": queues.iter().flat_map(|queue| bindings(vhost, queue)).collect::<Vec<_>>(),
    })
}

fn kind_of(kind: ExchangeKind) -> &'static str {
    match kind {
        ExchangeKind::Topic => "topic",
        ExchangeKind::Direct => "direct",
        ExchangeKind::Fanout => "fanout",
    }
}

fn arguments(queue: &QueueDeclaration) -> Map<String, Value> {
    let arguments = queue.arguments.iter().map(|(name, value)| {
        let value = match value {
            Argument::Text(text) => json!(text),
            Argument::Number(number) => json!(number),
            Argument::Flag(flag) => json!(flag),
        };
        ((*name).to_owned(), value)
    });
    arguments.collect()
}

fn bindings<'a>(
    vhost: &'a str,
    queue: &'a QueueDeclaration,
) -> impl Iterator<Item = Value> + use<'a> {
    queue.bindings.iter().map(move |(exchange, key)| {
        json!({
            "source": exchange,
            "vhost": vhost,
            "destination": queue.name,
            "destination_type": "queue",
            "routing_key": key,
            "arguments": {},
        })
    })
}
