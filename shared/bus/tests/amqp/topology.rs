//! What is declared, and what is refused.

use gentoo_updater_bus::amqp::Amqp;
use gentoo_updater_bus::{Bus, BusError};
use gentoo_updater_fleet::name::RunId;
use lapin::options::QueueDeclareOptions;
use lapin::types::FieldTable;

use crate::support::messages::{run_requested, scan_command, within};
use crate::support::*;

#[tokio::test(flavor = "multi_thread")]
async fn the_topology_can_be_declared_again_and_by_two_processes_at_once() {
    let vhost = Broker::shared().vhost();
    let (one, other) = tokio::join!(open(&vhost), open(&vhost));
    let again = open(&vhost).await;
    for name in [
        "plan",
        "scan",
        "build.amd64",
        "install.g1",
        "clean.b1",
        "collect.amd64",
        "dead",
    ] {
        assert_eq!(
            vhost.queue_arguments(name)["x-queue-type"],
            "quorum",
            "{name}"
        );
    }
    for name in ["history", "snapshots"] {
        assert_eq!(
            vhost.queue_arguments(name)["x-queue-type"],
            "stream",
            "{name}"
        );
    }
    assert_eq!(
        vhost.queue_arguments("scan")["x-dead-letter-exchange"],
        "gentoo-updater.dead"
    );
    assert_eq!(
        vhost.queue_arguments("plan")["x-single-active-consumer"],
        true
    );
    tokio::join!(one.close(), other.close(), again.close());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_queue_with_other_properties_is_named_and_fatal() {
    let vhost = Broker::shared().vhost();
    let (connection, channel) = raw(&vhost).await;
    let options = QueueDeclareOptions::durable();
    channel
        .queue_declare("plan".into(), options, FieldTable::default())
        .await
        .unwrap();
    let error = within(Amqp::open(settings(vhost.url())))
        .await
        .err()
        .unwrap();
    assert!(
        matches!(&error, BusError::DeclaredOtherwise { name, .. } if name == "plan"),
        "{error}"
    );
    connection.close(200, "".into()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_broker_refuses_is_fatal_and_says_so() {
    let vhost = Broker::shared().vhost();
    vhost.user("nobody", "^$", "^$", "^$");
    let wrong_password = vhost.url().replace("guest:guest", "guest:hunter2");
    let no_vhost = vhost.url().replace(&vhost.name, "nowhere");
    let closed = vhost.broker.vhost().url_for("nobody");
    let refused = |error: &BusError| match error {
        BusError::LoginRefused { .. } => "login",
        BusError::VhostRefused { .. } => "vhost",
        BusError::AccessRefused { .. } => "access",
        _ => "nothing",
    };
    for (url, expected) in [
        (wrong_password, "login"),
        (no_vhost, "vhost"),
        (closed, "vhost"),
        (vhost.url_for("nobody"), "access"),
    ] {
        let error = within(Amqp::open(settings(url.clone())))
            .await
            .err()
            .unwrap();
        assert_eq!(refused(&error), expected, "{url}: {error}");
        let words = error.to_string();
        assert!(
            !words.contains("hunter2") && !words.contains("AMQP"),
            "{words}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_that_may_not_write_gets_an_error_and_does_not_try_for_ever() {
    let vhost = Broker::shared().vhost();
    open(&vhost).await.close().await;
    // What is needed to declare and bind, but not to publish.
    vhost.user(
        "reader",
        ".*",
        "^(plan|scan|history|snapshots|install.*|build.*|clean.*|collect.*|dead|gentoo-updater.dead)$",
        ".*",
    );
    let bus = within(Amqp::open(settings(vhost.url_for("reader"))))
        .await
        .unwrap();
    let error = within(bus.publish(&run_requested(RunId::generate())))
        .await
        .unwrap_err();
    assert!(matches!(error, BusError::AccessRefused { .. }), "{error}");
    bus.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_queue_that_is_missing_is_declared_and_the_command_gets_there() {
    let vhost = Broker::shared().vhost();
    let bus = open(&vhost).await;
    vhost.delete_queue("install.g1");
    for queue in ["install.g1", "install.new-guest"] {
        let command = scan_command(RunId::generate(), 1);
        within(bus.issue(queue, &command)).await.unwrap();
        let mut commands = bus.commands(&[queue.to_owned()]).await.unwrap();
        let delivery = within(commands.next()).await.unwrap();
        assert_eq!(delivery.command, command);
        delivery.settle.ack().await.unwrap();
    }
    bus.close().await;
}
