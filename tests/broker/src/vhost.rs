//! What one test has for itself on a broker that it may share.

use std::fs;
use std::sync::Arc;

use crate::broker::Broker;
use crate::wait::until;

/// A vhost of its own for one test.
pub struct Vhost {
    /// The broker, or the node of a cluster, that it is reached through.
    pub broker: Arc<Broker>,
    /// Its name.
    pub name: String,
}

impl Vhost {
    /// The URL for a user whose password is its name.
    pub fn url_for(&self, user: &str) -> String {
        let (address, port) = (self.broker.address(), self.broker.port());
        format!("amqp://{user}:{user}@{address}:{port}/{}", self.name)
    }

    /// The URL of the user that may do everything.
    pub fn url(&self) -> String {
        self.url_for("guest")
    }

    /// Cuts all connections to this vhost, and says how many there were. The API shows a new
    /// connection some seconds late, so it is asked until it has shown `expected`.
    pub fn cut_connections(&self, expected: usize) -> usize {
        let path = format!("vhosts/{}/connections", self.name);
        let mut names = Vec::new();
        until("the list of connections", || {
            let connections = self.broker.json(&path);
            let named = connections.as_array().map_or(&[][..], Vec::as_slice).iter();
            names = named
                .filter_map(|c| c["name"].as_str().map(str::to_owned))
                .collect();
            names.len() >= expected
        });
        for name in &names {
            let name = name.replace(' ', "%20").replace('>', "%3E");
            // The API answers 500 where a connection ends in that moment by itself, and then 404.
            until("a connection is cut", || {
                let path = format!("connections/{name}");
                let (status, _) = self.broker.http("DELETE", &path, "");
                status == 204 || status == 404
            });
        }
        names.len()
    }

    /// The arguments of a queue as the broker knows them.
    pub fn queue_arguments(&self, queue: &str) -> serde_json::Value {
        self.broker.json(&format!("queues/{}/{queue}", self.name))["arguments"].clone()
    }

    /// The tags of the consumers of a queue. The API shows them some seconds late.
    pub fn consumer_tags(&self, queue: &str) -> Vec<String> {
        let queue = self.broker.json(&format!("queues/{}/{queue}", self.name));
        let consumers = queue["consumer_details"].as_array().cloned();
        let tags = consumers.unwrap_or_default().into_iter();
        tags.filter_map(|consumer| consumer["consumer_tag"].as_str().map(str::to_owned))
            .collect()
    }

    /// Waits until the broker would find its queues again after a power cut.
    ///
    /// It keeps the registry of its replicated state machines in a DETS table that it writes
    /// half a second late (`ra_directory`, `auto_save`). Killed before, it comes up with queues
    /// that are "down or inaccessible" for ever.
    pub fn wait_until_registered(&self, last_queue: &str) {
        let node = self.broker.node();
        let queue = format!("{}_{last_queue}", self.name);
        let registered = |system: &str, name: &str| {
            let path = format!("data/{node}/{system}/{node}/names.dets");
            let table = fs::read(self.broker.path(&path)).unwrap_or_default();
            table
                .windows(name.len())
                .any(|window| window == name.as_bytes())
        };
        until("the registration of the queues", || {
            registered("coordination", "rabbit_stream_coordinator") && registered("quorum", &queue)
        });
    }

    /// Deletes a queue, whatever is in it and whoever reads it.
    pub fn delete_queue(&self, queue: &str) {
        let path = format!("queues/{}/{queue}", self.name);
        let (status, body) = self.broker.http("DELETE", &path, "");
        assert_eq!(status, 204, "{body}");
    }

    /// A user whose password is its name, with a permission for what it may configure, write
    /// and read.
    pub fn user(&self, name: &str, configure: &str, write: &str, read: &str) {
        let user = format!(r#"{{"password":"{name}","tags":""}}"#);
        let permissions =
            format!(r#"{{"configure":"{configure}","write":"{write}","read":"{read}"}}"#);
        let path = format!("permissions/{}/{name}", self.name);
        for (path, body) in [(format!("users/{name}"), user), (path, permissions)] {
            let (status, answer) = self.broker.http("PUT", &path, &body);
            assert!(status == 201 || status == 204, "{path}: {status} {answer}");
        }
    }
}
