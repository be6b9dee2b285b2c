//! What the user of guest `web` tries, and the broker refuses.

use gentoo_updater_bus::topology::{
    COMMANDS, DEAD, DEAD_LETTERS, EVENTS, HISTORY, PLAN, SCAN, SNAPSHOTS, SNAPSHOTS_EXCHANGE,
};
use lapin::options::*;
use lapin::types::FieldTable;
use lapin::{BasicProperties, Channel, ErrorKind, ExchangeKind};

use super::*;

/// Every call on a channel of its own: a refusal closes it. Answers with the reply code.
async fn code<T>(
    vhost_of: &Connection,
    call: impl AsyncFnOnce(&Channel) -> lapin::Result<T>,
) -> u16 {
    let channel = vhost_of.create_channel().await.unwrap();
    channel
        .confirm_select(ConfirmSelectOptions::default())
        .await
        .unwrap();
    match within(call(&channel)).await {
        Ok(_) => {
            channel.close(200, "".into()).await.unwrap();
            200
        }
        Err(error) => match error.kind() {
            ErrorKind::ProtocolError(error) => error.get_id(),
            other => panic!("no answer of the broker: {other:?}"),
        },
    }
}

/// Publishes and waits for the confirm, which comes when the broker has taken it.
pub(super) async fn publish(
    connection: &Connection,
    exchange: &str,
    key: &str,
    properties: BasicProperties,
    body: &[u8],
) -> u16 {
    code(connection, async |channel| {
        let options = BasicPublishOptions::default();
        let sent = channel.basic_publish(exchange.into(), key.into(), options, body, properties);
        sent.await?.await
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guest_reads_no_queue_but_its_own() {
    let vhost = set_up();
    let web = connect_as(&vhost, "guest.web").await;
    for (queue, expected) in [
        ("install.web", 200),
        ("install.mail", 403),
        ("install.web2", 403),
        (HISTORY, 403),
        (SNAPSHOTS, 403),
        (PLAN, 403),
        (DEAD, 403),
        (SCAN, 403),
        ("build.default", 403),
        ("clean.b1", 403),
        ("collect.default", 403),
    ] {
        let consumed = code(&web, async |channel| {
            let qos = BasicQosOptions::default();
            channel.basic_qos(1, qos).await?;
            let options = BasicConsumeOptions::default();
            let none = FieldTable::default();
            channel
                .basic_consume(queue.into(), "".into(), options, none)
                .await
        });
        assert_eq!(consumed.await, expected, "consume {queue}");
        if expected == 403 {
            let got = code(&web, async |channel| {
                channel
                    .basic_get(queue.into(), BasicGetOptions::default())
                    .await
            });
            assert_eq!(got.await, expected, "get {queue}");
            let purged = code(&web, async |channel| {
                channel
                    .queue_purge(queue.into(), QueuePurgeOptions::default())
                    .await
            });
            assert_eq!(purged.await, expected, "purge {queue}");
        }
    }
    web.close(200, "".into()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guest_publishes_nowhere_but_what_an_installer_says() {
    let vhost = set_up();
    let web = connect_as(&vhost, "guest.web").await;
    let own = || BasicProperties::default().with_user_id("fleet.guest.web".into());
    let run = RunId::generate();
    for (exchange, key, expected) in [
        (EVENTS, format!("event.GuestUpdated.{run}"), 200),
        (EVENTS, "alive.worker.installer@agent.web".to_owned(), 200),
        (EVENTS, format!("event.PackageBuilt.{run}"), 403),
        (EVENTS, format!("event.CommandIssued.{run}"), 403),
        (EVENTS, format!("event.RunRequested.{run}"), 403),
        (EVENTS, format!("event.GuestUpdated.{run}.more"), 403),
        (EVENTS, "alive.worker.installer@agent.mail".to_owned(), 403),
        (EVENTS, "alive.planner.planner@1".to_owned(), 403),
        (EVENTS, "install.mail".to_owned(), 403),
        (EVENTS, String::new(), 403),
        (COMMANDS, "scan".to_owned(), 403),
        (COMMANDS, "install.mail".to_owned(), 403),
        (COMMANDS, "install.web".to_owned(), 403),
        (DEAD_LETTERS, "scan".to_owned(), 403),
        (SNAPSHOTS_EXCHANGE, String::new(), 403),
        // The default exchange leads into any queue by its name.
        ("", "plan".to_owned(), 403),
        ("", "install.web".to_owned(), 403),
        ("", "history".to_owned(), 403),
        ("amq.topic", "x".to_owned(), 403),
    ] {
        let answer = publish(&web, exchange, &key, own(), b"{}").await;
        assert_eq!(answer, expected, "{exchange} {key}");
    }
    // In the name of another user, the planner's among them.
    for user in ["fleet.planner", "fleet.guest.mail", "guest"] {
        let foreign = BasicProperties::default().with_user_id(user.into());
        let key = format!("event.GuestUpdated.{run}");
        assert_eq!(
            publish(&web, EVENTS, &key, foreign, b"{}").await,
            406,
            "{user}"
        );
    }
    web.close(200, "".into()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guest_declares_deletes_and_binds_nothing() {
    let vhost = set_up();
    let web = connect_as(&vhost, "guest.web").await;
    let none = FieldTable::default;
    for (queue, options) in [
        ("x", QueueDeclareOptions::durable()),
        ("install.web.copy", QueueDeclareOptions::durable()),
        ("", QueueDeclareOptions::exclusive()),
        ("amq.gen-x", QueueDeclareOptions::exclusive()),
    ] {
        let declared = code(&web, async |channel| {
            channel.queue_declare(queue.into(), options, none()).await
        });
        assert_eq!(declared.await, 403, "declare {queue:?}");
    }
    for queue in ["install.web", "install.mail", HISTORY, PLAN] {
        let deleted = code(&web, async |channel| {
            channel
                .queue_delete(queue.into(), QueueDeleteOptions::default())
                .await
        });
        assert_eq!(deleted.await, 403, "delete {queue}");
        for (exchange, key) in [(EVENTS, "event.#"), (COMMANDS, "install.mail")] {
            let bound = code(&web, async |channel| {
                let options = QueueBindOptions::default();
                channel
                    .queue_bind(queue.into(), exchange.into(), key.into(), options, none())
                    .await
            });
            assert_eq!(bound.await, 403, "bind {queue} to {exchange}");
            let unbound = code(&web, async |channel| {
                channel
                    .queue_unbind(queue.into(), exchange.into(), key.into(), none())
                    .await
            });
            assert_eq!(unbound.await, 403, "unbind {queue} from {exchange}");
        }
    }
    for (destination, source) in [
        (EVENTS, COMMANDS),
        (COMMANDS, EVENTS),
        (EVENTS, "amq.topic"),
        ("amq.topic", EVENTS),
    ] {
        let bound = code(&web, async |channel| {
            let options = ExchangeBindOptions::default();
            channel
                .exchange_bind(
                    destination.into(),
                    source.into(),
                    "#".into(),
                    options,
                    none(),
                )
                .await
        });
        assert_eq!(bound.await, 403, "bind {destination} to {source}");
    }
    let declared = code(&web, async |channel| {
        let (kind, options) = (ExchangeKind::Topic, ExchangeDeclareOptions::default());
        channel
            .exchange_declare("x".into(), kind, options, none())
            .await
    });
    assert_eq!(declared.await, 403, "declare an exchange");
    let deleted = code(&web, async |channel| {
        channel
            .exchange_delete(EVENTS.into(), ExchangeDeleteOptions::default())
            .await
    });
    assert_eq!(deleted.await, 403, "delete an exchange");
    web.close(200, "".into()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn no_worker_writes_to_the_default_exchange_or_declares_or_orders() {
    let vhost = set_up();
    for user in [
        "scanner",
        "builder",
        "installer",
        "janitor",
        "planner",
        "operator",
    ] {
        let connection = connect_as(&vhost, user).await;
        let name = format!("{PREFIX}.{user}");
        let own = || BasicProperties::default().with_user_id(name.as_str().into());
        for key in ["plan", "scan", "dead", "history"] {
            let answer = publish(&connection, "", key, own(), b"{}").await;
            assert_eq!(answer, 403, "{user} {key}");
        }
        if user != "planner" {
            let answer = publish(&connection, SNAPSHOTS_EXCHANGE, "", own(), b"{}").await;
            assert_eq!(answer, 403, "{user}");
        }
        if user != "planner" && user != "operator" {
            let answer = publish(&connection, COMMANDS, "scan", own(), b"{}").await;
            assert_eq!(answer, 403, "{user}");
            let deleted = code(&connection, async |channel| {
                channel
                    .queue_delete(PLAN.into(), QueueDeleteOptions::default())
                    .await
            });
            assert_eq!(deleted.await, 403, "{user}");
        }
        connection.close(200, "".into()).await.unwrap();
    }
}
