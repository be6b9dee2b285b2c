//! Which connections are kept after use.

use std::fs;
use std::time::Duration;

use gentoo_updater_hosts::{Command, Connector, Host, HostAddress, HostError, Output};
use tokio::task::JoinHandle;

use crate::server::Server;
use crate::ssh::shell;

/// The process of the server that serves the connection.
async fn served_by(host: &dyn Host) -> String {
    let output = host.run(&shell("echo $PPID")).await.unwrap();
    output.stdout_text()
}

/// A command that goes on until a file is there, over a connection of its own.
async fn busy(
    connector: &Connector,
    server: &Server,
    number: usize,
) -> JoinHandle<Result<Output, HostError>> {
    let address = HostAddress::Ssh(server.ssh_address());
    let host = connector.connect(&address).await.unwrap();
    let (begun, end) = (server.path(&format!("begun{number}")), server.path("end"));
    let script = r#": > "$1"; until [ -e "$2" ]; do sleep 0.05; done; echo done"#;
    let files = [begun.to_str().unwrap(), end.to_str().unwrap()];
    let command = Command::shell("test", script, files);
    let running = tokio::spawn(async move { host.run(&command).await });
    while !begun.exists() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    running
}

#[tokio::test]
async fn the_connections_that_were_used_last_are_kept_and_others_opened_again_when_needed() {
    let server = Server::start();
    let connector = Connector::new(server.settings());
    let address = HostAddress::Ssh(server.ssh_address());
    let mut hosts = Vec::new();
    for _ in 0..20 {
        let host = connector.connect(&address).await.unwrap();
        let process = served_by(&*host).await;
        hosts.push((host, process));
    }
    let (newest, oldest) = (&hosts[19], &hosts[0]);
    assert_eq!(served_by(&*newest.0).await, newest.1);
    assert_ne!(served_by(&*oldest.0).await, oldest.1);
    // The server notices in its own time that a connection was closed.
    let mut patience = 200;
    while server.connections() != 8 {
        patience -= 1;
        assert!(patience > 0, "{} connections", server.connections());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn however_many_machines_are_busy_each_keeps_its_connection_between_its_commands() {
    let server = Server::start();
    let connector = Connector::new(server.settings());
    let mut all = Vec::new();
    for number in 0..10 {
        all.push(busy(&connector, &server, number).await);
    }
    // One of them says something else every now and then, as who follows a job.
    let address = HostAddress::Ssh(server.ssh_address());
    let polled = connector.connect(&address).await.unwrap();
    let process = served_by(&*polled).await;
    for _ in 0..3 {
        assert_eq!(served_by(&*polled).await, process);
    }
    fs::write(server.path("end"), "").unwrap();
    for running in all {
        let output = running.await.unwrap().unwrap();
        assert_eq!(output.stdout_text(), "done\n", "it was in use all the time");
    }
}
