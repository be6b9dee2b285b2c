//! `gentoo-updater broker`, the program itself, and a real RabbitMQ that takes what it wrote.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use gentoo_updater_bus::Bus;
use gentoo_updater_bus::amqp::{Amqp, BrokerSettings, QUIET, password_of};
use gentoo_updater_bus::topology::Topology;
use gentoo_updater_fleet::authority::Users;
use gentoo_updater_test_broker::Broker;
use tempfile::TempDir;

/// A folder with a configuration and the output of `broker setup`.
struct Fleet {
    directory: TempDir,
    url: String,
}

impl Fleet {
    fn new(url: &str, guests: &[&str]) -> Self {
        let fleet = Self {
            directory: TempDir::new().unwrap(),
            url: url.to_owned(),
        };
        fleet.configure(guests);
        fleet
    }

    fn configure(&self, guests: &[&str]) {
        let mut text = format!(
            "[broker]\nurl = \"{}\"\naccess = \"separate\"\nuser_prefix = \"fleet\"\n\
             [builders.b1]\naddress = \"local\"\n",
            self.url
        );
        for guest in guests {
            text += &format!("[guests.{guest}]\naddress = \"ssh://root@{guest}\"\n");
        }
        fs::write(self.directory.path().join("fleet.toml"), text).unwrap();
    }

    fn output(&self) -> PathBuf {
        self.directory.path().join("broker")
    }

    fn run(&self, arguments: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_gentoo-updater"))
            .arg("--config")
            .arg(self.directory.path().join("fleet.toml"))
            .arg("broker")
            .args(arguments)
            .env_remove("GENTOO_UPDATER__BROKER__URL")
            .stdin(Stdio::null())
            .output()
            .unwrap()
    }

    fn setup(&self, more: &[&str]) -> Output {
        let output = self.output();
        self.run(&[&["setup", "--output", output.to_str().unwrap()], more].concat())
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.output().join(name)).unwrap()
    }

    /// The URL of each user, by the name of its file.
    fn urls(&self) -> BTreeMap<String, String> {
        let files = fs::read_dir(self.output()).unwrap();
        let names = files.map(|file| file.unwrap().file_name().into_string().unwrap());
        names
            .filter(|name| name.ends_with(".env"))
            .map(|name| {
                let text = self.read(&name);
                let url = text.trim().strip_prefix("GENTOO_UPDATER__BROKER__URL=");
                (name, url.unwrap().to_owned())
            })
            .collect()
    }
}

const ROLES: [&str; 8] = [
    "builder",
    "installer",
    "janitor",
    "notifier",
    "operator",
    "planner",
    "scanner",
    "scheduler",
];

fn words(output: &Output) -> (Option<i32>, String, String) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (
        output.status.code(),
        text(&output.stdout),
        text(&output.stderr),
    )
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn files_are_for_their_owner_alone_and_no_password_is_printed() {
    let fleet = Fleet::new("amqps://mq.example.net/fleet", &["web", "mail"]);
    let (code, stdout, stderr) = words(&fleet.setup(&[]));
    assert_eq!((code, stderr.as_str()), (Some(0), ""));
    let urls = fleet.urls();
    let mut expected: Vec<String> = ROLES.map(|role| format!("{role}.env")).into();
    expected.extend(["guest.web.env", "guest.mail.env"].map(str::to_owned));
    expected.sort();
    assert_eq!(urls.keys().cloned().collect::<Vec<_>>(), expected);
    let mut passwords: Vec<String> = urls.values().map(|url| password_of(url).unwrap()).collect();
    for password in &passwords {
        assert_eq!(password.len(), 64);
        assert!(!stdout.contains(password), "{stdout}");
        assert!(!fleet.read("definitions.json").contains(password));
    }
    passwords.sort();
    passwords.dedup();
    assert_eq!(passwords.len(), urls.len(), "two users share a password");
    assert_eq!(mode(&fleet.output()), 0o700);
    assert_eq!(mode(&fleet.output().join("definitions.json")), 0o600);
    assert_eq!(mode(&fleet.output().join("setup.sh")), 0o700);
    for name in urls.keys() {
        assert_eq!(mode(&fleet.output().join(name)), 0o600, "{name}");
    }
}

#[test]
fn what_is_there_is_not_overwritten_and_by_force_keeps_its_passwords() {
    let fleet = Fleet::new("amqps://mq.example.net/fleet", &["web", "mail"]);
    assert_eq!(words(&fleet.setup(&[])).0, Some(0));
    let before = fleet.urls();
    let (code, _, stderr) = words(&fleet.setup(&[]));
    assert_eq!(code, Some(64));
    assert!(
        stderr.contains("planner.env") && stderr.contains("--force"),
        "{stderr}"
    );
    assert_eq!(fleet.urls(), before);

    // One guest is new, another one gone.
    fleet.configure(&["web", "db"]);
    let (code, _, stderr) = words(&fleet.setup(&["--force"]));
    assert_eq!(code, Some(0), "{stderr}");
    assert!(stderr.contains("guest mail"), "{stderr}");
    let after = fleet.urls();
    for (name, url) in &before {
        assert_eq!(after.get(name), Some(url), "{name}");
    }
    assert!(after.contains_key("guest.db.env"));
    assert!(fleet.read("setup.sh").contains("\ngone fleet.guest.mail\n"));
    assert!(!fleet.read("definitions.json").contains("guest.mail"));

    // A file that somebody else made is named, and nothing is written.
    fs::write(fleet.output().join("guest.web.env"), "PASSWORD=x\n").unwrap();
    let (code, _, stderr) = words(&fleet.setup(&["--force"]));
    assert_eq!(code, Some(2));
    assert!(stderr.contains("guest.web.env"), "{stderr}");
}

#[test]
fn permissions_are_shown_to_people_and_programs() {
    let fleet = Fleet::new("amqps://mq.example.net/fleet", &["web"]);
    let (code, stdout, _) = words(&fleet.run(&["permissions"]));
    assert_eq!(code, Some(0));
    assert!(stdout.contains("fleet.guest.web"), "{stdout}");
    assert!(stdout.contains(r"^(install\.web)$"), "{stdout}");
    let (_, stdout, _) = words(&fleet.run(&["permissions", "--json"]));
    let all: serde_json::Value = serde_json::from_str(&stdout).unwrap();
    let web = &all[ROLES.len()];
    assert_eq!(web["user"], "fleet.guest.web");
    assert_eq!(web["configure"], "^$");
    assert_eq!(web["topic"]["exchange"], "gentoo-updater.events");
}

fn settings(url: String) -> BrokerSettings {
    BrokerSettings {
        url,
        ca: None,
        name: "test".to_owned(),
        topology: Topology {
            guests: ["web".parse().unwrap()].into(),
            builders: ["b1".parse().unwrap()].into(),
            platforms: ["default".parse().unwrap()].into(),
            ..Topology::default()
        },
        users: Some(Users::new("fleet")),
        quiet: QUIET,
    }
}

async fn each_user_can_log_in(fleet: &Fleet) {
    for (name, url) in fleet.urls() {
        let opened = Amqp::open(settings(url));
        let opened = tokio::time::timeout(std::time::Duration::from_secs(60), opened);
        match opened.await.expect("the broker answers") {
            Ok(bus) => bus.close().await,
            Err(error) => panic!("{name}: {error}"),
        }
    }
}

/// Calls the script of a fleet where the broker is.
fn on_the_broker(broker: &Broker, fleet: &Fleet) {
    let output = broker.run_script(&fleet.read("setup.sh"));
    assert!(output.status.success(), "{:?}", words(&output));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_real_broker_takes_the_definitions_and_the_script() {
    let broker = Broker::start();
    let vhost = broker.vhost();
    let fleet = Fleet::new(&vhost.url(), &["web"]);
    assert_eq!(words(&fleet.setup(&[])).0, Some(0));
    let body = fleet.read("definitions.json");
    let (status, answer) = broker.http("POST", "definitions", &body);
    assert_eq!(status, 204, "{answer}");
    each_user_can_log_in(&fleet).await;
    let imported = permissions_of(&broker, &vhost.name);
    assert_eq!(imported.len(), 2 * (ROLES.len() + 1));

    // The script makes the same on another vhost.
    let other = Fleet::new(&vhost.url().replace(&vhost.name, "by-script"), &["web"]);
    assert_eq!(words(&other.setup(&[])).0, Some(0));
    on_the_broker(&broker, &other);
    assert_eq!(permissions_of(&broker, "by-script"), imported);
    // The planner declares before the others look.
    let planner = other.urls().remove("planner.env").unwrap();
    Amqp::open(settings(planner)).await.unwrap().close().await;
    each_user_can_log_in(&other).await;
    // A second time it finds what is there, and deletes the user of a guest that is gone.
    other.configure(&["mail"]);
    assert_eq!(words(&other.setup(&["--force"])).0, Some(0));
    on_the_broker(&broker, &other);
    let (status, _) = broker.http("GET", "users/fleet.guest.web", "");
    assert_eq!(status, 404);
}

/// Permissions and topic permissions on a vhost, without its name.
fn permissions_of(broker: &Broker, vhost: &str) -> Vec<String> {
    let mut all = Vec::new();
    for kind in ["permissions", "topic-permissions"] {
        let (status, body) = broker.http("GET", &format!("vhosts/{vhost}/{kind}"), "");
        assert_eq!(status, 200, "{body}");
        let list: serde_json::Value = serde_json::from_str(&body).unwrap();
        for entry in list.as_array().unwrap() {
            let is_of_fleet = entry["user"].as_str().unwrap().starts_with("fleet.");
            let mut entry = entry.clone();
            entry.as_object_mut().unwrap().remove("vhost");
            if is_of_fleet {
                all.push(entry.to_string());
            }
        }
    }
    all.sort();
    all
}
