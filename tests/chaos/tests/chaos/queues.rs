//! Faults of single queues and consumers.

use std::time::{Duration, Instant};

use futures_util::StreamExt;
use gentoo_updater_chaos::scene::Scene;
use gentoo_updater_test_broker::Broker;
use lapin::options::{
    BasicConsumeOptions, BasicPublishOptions, BasicQosOptions, QueueDeclareOptions,
};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{BasicProperties, Connection, ConnectionProperties};
use tokio::task::block_in_place;

use crate::support::{Expected, Fleet, Policy, report, within};

/// How long a build takes that is longer than the broker waits for an acknowledgement.
const LONG: Duration = Duration::from_secs(60);
const BUILD: Duration = Duration::from_millis(1500);

/// A consumer beside the fleet that holds a delivery for too long: ends when the broker has ended
/// it, as it does with every consumer that does so.
async fn held_for_too_long(url: String) {
    let connection = Connection::connect(&url, ConnectionProperties::default());
    let connection = connection.await.expect("a broker");
    let channel = connection.create_channel().await.expect("a channel");
    let mut arguments = FieldTable::default();
    arguments.insert(
        "x-queue-type".into(),
        AMQPValue::LongString("quorum".into()),
    );
    let options = QueueDeclareOptions::durable();
    channel
        .queue_declare("held".into(), options, arguments)
        .await
        .expect("a queue");
    channel
        .basic_qos(1, BasicQosOptions::default())
        .await
        .expect("a prefetch");
    let options = BasicConsumeOptions::default();
    let consumer = channel.basic_consume("held".into(), "".into(), options, FieldTable::default());
    let mut consumer = consumer.await.expect("a consumer");
    let (options, properties) = (BasicPublishOptions::default(), BasicProperties::default());
    let published = channel.basic_publish("".into(), "held".into(), options, b"x", properties);
    published.await.expect("a message");
    let _held = consumer
        .next()
        .await
        .expect("a delivery")
        .expect("a delivery");
    let next = consumer.next().await;
    assert!(!matches!(next, Some(Ok(_))), "nothing else was published");
    // An error, or the end: by version. The connection may live on.
    if connection.status().connected() {
        connection
            .close(200, "goodbye".into())
            .await
            .expect("a farewell");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_build_of_a_minute_is_done_once_where_the_broker_waits_ten_seconds() {
    let broker = block_in_place(|| Broker::start_with("consumer_timeout = 10000"));
    let vhost = block_in_place(|| broker.vhost());
    let control = tokio::spawn(held_for_too_long(vhost.url()));
    let scene = |folder: &_| Scene::full(folder, BUILD).with_slow("nginx", LONG);
    let fleet = Fleet::start(vhost.url(), Policy::default(), scene).await;
    let run = fleet.request_run().await;
    let figures = fleet.finish(run, Expected::default()).await;
    // Version 3.10 looks once a minute.
    within("the end of who holds a delivery", 130, control)
        .await
        .expect("a control");
    let logs = fleet.logs("");
    assert!(
        !logs.contains("it is opened again"),
        "no consumer of the fleet was ended"
    );
    assert!(
        !logs.contains("they are opened again"),
        "no consumer of the fleet was ended"
    );
    fleet.end().await;
    report(
        &broker.version(),
        "consumer timeout of 10 s, build of 60 s",
        figures,
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn queues_that_are_deleted_under_their_consumers_are_there_again() {
    let broker = block_in_place(Broker::shared);
    let vhost = block_in_place(|| broker.vhost());
    let scene = |folder: &_| Scene::full(folder, BUILD);
    let fleet = Fleet::start(vhost.url(), Policy::default(), scene).await;
    block_in_place(|| {
        for queue in [
            "scan",
            "build.default",
            "install.g1",
            "clean.b1",
            "collect.default",
            "plan",
        ] {
            vhost.delete_queue(queue);
        }
    });
    let run = fleet.request_run().await;
    // The request itself is seen, too: what comes behind it is the planner's first command.
    let planned = fleet.until("a command", run, |run| !run.tasks.is_empty());
    let begun = Instant::now();
    planned.await;
    let recovery = Some(begun.elapsed().as_secs_f64());
    let figures = fleet.finish(run, Expected::recovered(recovery)).await;
    fleet.end().await;
    report(
        &broker.version(),
        "queues deleted under their consumers",
        figures,
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn commands_that_are_lost_with_their_queue_are_issued_again() {
    let broker = block_in_place(Broker::shared);
    let vhost = block_in_place(|| broker.vhost());
    let scene = |folder: &_| Scene::full(folder, BUILD * 2);
    let fleet = Fleet::start(vhost.url(), Policy::default(), scene).await;
    let run = fleet.request_run().await;
    fleet
        .until("commands that wait", run, |run| {
            let waits = |task: &gentoo_updater_fleet::state::TaskState| {
                let newest = task.attempts.values().next_back();
                newest.is_some_and(|attempt| attempt.issued.is_some() && attempt.claim.is_none())
            };
            run.jobs.is_some() && run.tasks.values().filter(|task| waits(task)).count() >= 2
        })
        .await;
    block_in_place(|| vhost.delete_queue("build.default"));
    let recovery = fleet.recovered(run).await;
    let figures = fleet.finish(run, Expected::recovered(recovery)).await;
    fleet.end().await;
    report(
        &broker.version(),
        "a queue deleted with its commands",
        figures,
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_history_that_is_deleted_ends_all_who_read_it_and_a_new_one_is_begun() {
    let broker = block_in_place(Broker::shared);
    let vhost = block_in_place(|| broker.vhost());
    let scene = |folder: &_| Scene::full(folder, BUILD);
    let mut fleet = Fleet::start(vhost.url(), Policy::default(), scene).await;
    block_in_place(|| vhost.delete_queue("history"));
    let begun = Instant::now();
    fleet
        .all_end_and_start_again("the stream history was deleted")
        .await;
    let recovery = Some(begun.elapsed().as_secs_f64());
    let run = fleet.request_run().await;
    let figures = fleet.finish(run, Expected::recovered(recovery)).await;
    fleet.end().await;
    report(&broker.version(), "the history deleted", figures);
}
