//! Every role does its work under its own user.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use gentoo_updater_bus::topology::{self, Topology};
use gentoo_updater_bus::worker::{Handler, StateDirectory, WorkerSpec, serve};
use gentoo_updater_bus::{Bus, BusError, Position, Pulse, SystemClock};
use gentoo_updater_fleet::message::{
    Command, CommandIssued, Event, Failure, FailureClass, PlannerAlive, Role, RunKind, RunRequested,
};
use gentoo_updater_fleet::name::RunId;
use tempfile::TempDir;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::*;

/// Does nothing, and says so.
struct Idle;

#[async_trait]
impl Handler for Idle {
    async fn handle(&self, command: &Command) -> Event {
        let failure = Failure::new(FailureClass::Permanent, "Test", "nothing is done here");
        self.failed(command, failure)
    }

    fn failed(&self, command: &Command, failure: Failure) -> Event {
        command.failed(None, failure)
    }
}

fn spec(id: &str, role: Role, queue: &str, state: &TempDir, read_back: bool) -> WorkerSpec {
    WorkerSpec {
        id: worker(id),
        clock: Arc::new(SystemClock),
        role,
        queues: vec![queue.to_owned()],
        slots: 1,
        state_directory: StateDirectory::Folder(state.path().join(id)),
        heartbeat: Duration::from_secs(1),
        grace: Duration::from_secs(10),
        read_back,
        builder: None,
        pulse: Pulse::default(),
    }
}

/// The kind of a command, its queue, who takes it under which user, and what comes of it. The
/// guest `g1` has an agent of its own, without access to the history.
const WORK: [(&str, &str, &str, &str, Role, &str); 5] = [
    (
        "ScanGuest",
        "scan",
        "scanner@1",
        "scanner",
        Role::Scanner,
        "ScanFailed",
    ),
    (
        "BuildPackage",
        "build.default",
        "builder@b1",
        "builder",
        Role::Builder,
        "BuildFailed",
    ),
    (
        "InstallPackages",
        "install.g1",
        "installer@agent.g1",
        "guest.g1",
        Role::Installer,
        "InstallFailed",
    ),
    (
        "CleanBuilder",
        "clean.b1",
        "janitor@1",
        "janitor",
        Role::Janitor,
        "CleanFailed",
    ),
    (
        "CollectStore",
        "collect.default",
        "janitor@2",
        "janitor",
        Role::Janitor,
        "CollectFailed",
    ),
];

#[tokio::test(flavor = "multi_thread")]
async fn every_role_does_its_work_under_its_own_user() {
    let vhost = set_up();
    let (state, stop) = (TempDir::new().unwrap(), CancellationToken::new());
    let (operator, planner) = (
        open_as(&vhost, "operator").await,
        open_as(&vhost, "planner").await,
    );
    let run = RunId::generate();
    let requested = Event::RunRequested(RunRequested {
        run,
        kind: RunKind::Update,
        more_rounds: 0,
        follows: None,
        retries: 0,
        guests: [("g1".parse().unwrap(), "default".parse().unwrap())].into(),
        force: false,
        sync: Default::default(),
        rollout: Default::default(),
        schedule: None,
    });
    let requested = said("operator@desk", requested);
    within(operator.publish(&requested)).await.unwrap();
    let mut wakeups = planner.wakeups().await.unwrap();
    let woken = within(wakeups.next()).await.unwrap();
    assert_eq!(woken.event, requested);
    woken.settle.ack().await.unwrap();

    let mut workers = JoinSet::new();
    let mut buses: Vec<Arc<dyn Bus>> = Vec::new();
    for (kind, queue, id, user, role, _) in WORK {
        let command = command(kind, run);
        within(planner.issue(queue, &command)).await.unwrap();
        let issued = Event::CommandIssued(CommandIssued {
            command: command.message.id().unwrap(),
            work: command.message.work(),
            queue: queue.to_owned(),
        });
        within(planner.publish(&said("planner@1", issued)))
            .await
            .unwrap();
        let bus: Arc<dyn Bus> = Arc::new(open_as(&vhost, user).await);
        let spec = spec(id, role, queue, &state, !user.starts_with("guest."));
        workers.spawn(serve(bus.clone(), spec, Arc::new(Idle), stop.clone()));
        buses.push(bus);
    }
    let mut results = Vec::new();
    let mut history = operator.history(Position::First).await.unwrap();
    while results.len() < WORK.len() {
        let item = within(history.next()).await.unwrap();
        let event = item.event.unwrap();
        if event.message.failure().is_some() {
            results.push(event.message.kind());
        }
    }
    results.sort_unstable();
    let mut expected = WORK.map(|(_, _, _, _, _, result)| result);
    expected.sort_unstable();
    assert_eq!(results, expected);

    // Signs of life come to the planner and to whoever listens.
    let mut alive = operator.alive().await.unwrap();
    let beat = Event::PlannerAlive(PlannerAlive {
        worker: worker("planner@1"),
        beat: 1,
    });
    let beat = said("planner@1", beat);
    within(async {
        loop {
            planner.publish(&beat).await.unwrap();
            let heard = tokio::time::timeout(Duration::from_millis(500), async {
                loop {
                    if alive.next().await.unwrap() == beat {
                        return;
                    }
                }
            });
            if heard.await.is_ok() {
                return;
            }
        }
    })
    .await;
    within(async {
        loop {
            let woken = wakeups.next().await.unwrap();
            let is_of_a_worker = matches!(woken.event.message, Event::WorkerAlive(_));
            woken.settle.ack().await.unwrap();
            if is_of_a_worker {
                return;
            }
        }
    })
    .await;
    stop.cancel();
    while let Some(served) = within(workers.join_next()).await {
        served.unwrap().unwrap();
    }
    for bus in buses {
        bus.close().await;
    }
    tokio::join!(operator.close(), planner.close());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_command_of_a_guest_becomes_a_dead_letter_without_its_user_writing_there() {
    let vhost = set_up();
    let (planner, guest) = (
        open_as(&vhost, "planner").await,
        open_as(&vhost, "guest.web").await,
    );
    let queue = topology::install_queue(&"web".parse().unwrap());
    let order = command("InstallPackages", RunId::generate());
    within(planner.issue(&queue, &order)).await.unwrap();
    let mut commands = guest.commands(&[queue]).await.unwrap();
    let delivery = within(commands.next()).await.unwrap();
    delivery
        .settle
        .reject("not for me".to_owned())
        .await
        .unwrap();
    let (connection, channel) = crate::support::raw(&vhost).await;
    let letter = crate::support::get_soon(&channel, topology::DEAD).await;
    assert_eq!(letter.delivery.data, order.encode().unwrap());
    let user = letter.properties.user_id().as_ref().unwrap();
    assert_eq!(
        user.as_str(),
        "fleet.planner",
        "the broker moved it as it was"
    );
    connection.close(200, "".into()).await.unwrap();
    tokio::join!(planner.close(), guest.close());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_planner_declares_what_is_missing_and_a_worker_waits_until_it_has() {
    let vhost = set_up();
    vhost.delete_queue("scan");
    let (waiting, declared) = (settings(&vhost, "scanner"), settings(&vhost, "planner"));
    let scanner = tokio::spawn(Amqp::open(waiting));
    crate::support::stays_pending(async {
        while !scanner.is_finished() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
    let planner = within(Amqp::open(declared)).await.unwrap();
    let scanner = within(scanner).await.unwrap().unwrap();
    tokio::join!(planner.close(), scanner.close());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_guest_has_its_queue_from_the_planner_or_the_operator() {
    let vhost = set_up();
    for user in ["planner", "operator"] {
        let mut settings = settings(&vhost, user);
        let guest = format!("new-of-{user}").parse().unwrap();
        settings.topology = Topology {
            guests: [guest].into(),
            ..settings.topology
        };
        within(Amqp::open(settings)).await.unwrap().close().await;
        let arguments = vhost.queue_arguments(&format!("install.new-of-{user}"));
        assert_eq!(arguments["x-queue-type"], "quorum");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_with_the_url_of_another_role_is_told_before_it_says_anything() {
    let vhost = set_up();
    let builder = open_as(&vhost, "builder").await;
    let beat = event(&sample("PlannerAlive", "planner@1"));
    let error = within(builder.publish(&beat)).await.unwrap_err();
    assert!(matches!(error, BusError::WrongUser { .. }), "{error}");
    assert!(error.to_string().contains("broker setup"), "{error}");
    let mut stranger = settings(&vhost, "builder");
    stranger.url = vhost.url();
    let error = within(Amqp::open(stranger)).await.err().unwrap();
    assert!(matches!(error, BusError::WrongUser { .. }), "{error}");
    builder.close().await;
}
