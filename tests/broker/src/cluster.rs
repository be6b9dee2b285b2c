//! Three nodes that are one broker.

use std::sync::Arc;

use crate::broker::{Broker, Place};
use crate::vhost::Vhost;
use crate::wait::until;

/// Three nodes that are one broker; they find each other by a fixed list.
pub struct Cluster {
    nodes: Vec<Arc<Broker>>,
}

impl Cluster {
    /// Starts three nodes and waits until they are one broker.
    pub fn start() -> Self {
        let first = Broker::prepare(Place::default());
        let epmd = first.epmd();
        let mut nodes = vec![first];
        nodes.extend((1..3).map(|_| Broker::prepare(Place::default().with_epmd(epmd.clone()))));
        let mut lines = vec![
            "cluster_formation.peer_discovery_backend = classic_config".to_owned(),
            "cluster_formation.discovery_retry_interval = 500".to_owned(),
        ];
        lines.extend(nodes.iter().zip(1..).map(|(node, number)| {
            format!(
                "cluster_formation.classic_config.nodes.{number} = {}",
                node.node()
            )
        }));
        let lines = lines.join("\n");
        for node in &nodes {
            node.configure(&lines);
            node.launch();
        }
        nodes.iter().for_each(Broker::wait_until_it_serves);
        let nodes: Vec<Arc<Broker>> = nodes.into_iter().map(Arc::new).collect();
        until("the forming of the cluster", || {
            nodes.iter().all(|node| {
                let members = node.json("nodes");
                let members = members.as_array().map_or(&[][..], Vec::as_slice);
                members
                    .iter()
                    .filter(|member| member["running"] == true)
                    .count()
                    == nodes.len()
            })
        });
        Self { nodes }
    }

    /// The nodes.
    pub fn nodes(&self) -> &[Arc<Broker>] {
        &self.nodes
    }

    /// A new vhost, and the same one as each node serves it.
    pub fn vhost(&self) -> Vec<Vhost> {
        let vhost = self.nodes[0].vhost();
        let name = vhost.name.clone();
        self.nodes
            .iter()
            .map(|node| Vhost {
                broker: node.clone(),
                name: name.clone(),
            })
            .collect()
    }

    /// The node that leads a queue, as `through` knows it.
    pub fn leader(&self, through: &Vhost, queue: &str) -> Arc<Broker> {
        let path = format!("queues/{}/{queue}", through.name);
        let mut leader = None;
        until("the election of a leader", || {
            let queue = through.broker.json(&path);
            // Of streams 3.10 tells only the node, which is the leader's.
            let name = queue["leader"].as_str().or(queue["node"].as_str());
            leader = self
                .nodes
                .iter()
                .find(|node| Some(node.node().as_str()) == name)
                .cloned();
            leader.is_some()
        });
        leader.expect("a leader was found")
    }
}
