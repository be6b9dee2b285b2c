//! Looking at a broker: what is there and what is not, without making any of it.

use gentoo_updater_bus::amqp::{Examination, TopologyFound, Unreached, examine};
use gentoo_updater_bus::{Bus, BusError};
use lapin::options::QueueDeclareOptions;
use lapin::types::FieldTable;

use crate::support::messages::within;
use crate::support::*;

pub(crate) fn examination(url: String) -> Examination {
    let settings = settings(url);
    Examination {
        url: settings.url,
        ca: None,
        name: "doctor".to_owned(),
        topology: settings.topology,
        declares: true,
    }
}

async fn topology(url: String) -> Result<TopologyFound, Unreached> {
    let examined = within(examine(&examination(url))).await.unwrap();
    examined.topology
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_missing_is_named_and_stays_missing_and_what_is_there_is_as_it_was() {
    let vhost = Broker::shared().vhost();
    let first = topology(vhost.url()).await.unwrap();
    for name in ["history", "plan", "install.g1", "gentoo-updater.events"] {
        assert!(
            first.missing.iter().any(|it| it == name),
            "{name}: {first:?}"
        );
    }
    assert_eq!(
        topology(vhost.url()).await.unwrap(),
        first,
        "nothing was made"
    );

    let bus = open(&vhost).await;
    assert_eq!(
        topology(vhost.url()).await.unwrap(),
        TopologyFound::default()
    );
    bus.close().await;
    vhost.delete_queue("scan");
    let (connection, channel) = raw(&vhost).await;
    let options = QueueDeclareOptions::durable();
    channel
        .queue_declare("scan".into(), options, FieldTable::default())
        .await
        .unwrap();
    let found = topology(vhost.url()).await.unwrap();
    assert!(found.missing.is_empty(), "{found:?}");
    let different: Vec<&String> = found.different.keys().collect();
    assert_eq!(different, ["scan"], "{found:?}");
    connection.close(200, "goodbye".into()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_version_is_known_of_whoever_is_let_in_or_not() {
    let broker = Broker::shared();
    let vhost = broker.vhost();
    let version = broker.version();
    let url = vhost.url().replace("guest:guest@", "nobody:hunter2@");
    let examined = within(examine(&examination(url))).await.unwrap();
    assert_eq!(examined.version, Some(version));
    assert_eq!(examined.certificate_expires, None);
    assert_eq!(
        (examined.user.as_str(), &examined.vhost),
        ("nobody", &vhost.name)
    );
    assert!(
        matches!(
            examined.topology,
            Err(Unreached::Fatal(BusError::LoginRefused { .. }))
        ),
        "{:?}",
        examined.topology
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn where_nobody_answers_or_something_else_does_that_is_said_at_once() {
    let nobody = topology(format!("amqp://127.0.0.1:{}", free_port())).await;
    assert!(
        matches!(nobody, Err(Unreached::Unreachable(_))),
        "{nobody:?}"
    );
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let web = tokio::spawn(async move {
        use tokio::io::AsyncWriteExt as _;
        let (mut stream, _) = listener.accept().await.unwrap();
        stream
            .write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            .await
            .unwrap();
    });
    let other = topology(format!("amqp://127.0.0.1:{port}")).await;
    let Err(Unreached::Unreachable(why)) = other else {
        panic!("{other:?}")
    };
    assert!(why.contains("no AMQP"), "{why}");
    web.await.unwrap();
}
