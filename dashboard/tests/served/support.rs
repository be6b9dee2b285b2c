//! A dashboard on a port of its own, of a history in memory.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use gentoo_updater_bus::Bus;
use gentoo_updater_bus::embedded::Embedded;
use gentoo_updater_bus::follow::FleetView;
use gentoo_updater_dashboard::{Dashboard, DashboardError, Operations, Options, Token};
use gentoo_updater_fleet::config;
use gentoo_updater_fleet::message::*;
use gentoo_updater_fleet::name::*;
use gentoo_updater_runtime::monitor::Vitals;
use gentoo_updater_server::Limits;
use jiff::Timestamp;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

pub(crate) const TOKEN: &str = "a token that nobody guesses";

/// Writes down what it is asked to do.
#[derive(Default)]
struct Noted {
    put_back: Mutex<Vec<String>>,
}

#[async_trait]
impl Operations for Noted {
    async fn queues(&self, _: &FleetView) -> anyhow::Result<Value> {
        Ok(json!({ "queues": [] }))
    }

    async fn dead_letters(&self) -> anyhow::Result<Value> {
        anyhow::bail!("the broker is away; start it")
    }

    async fn retry_dead(&self, letters: Vec<String>) -> anyhow::Result<Value> {
        self.put_back.lock().unwrap().extend(letters.clone());
        Ok(json!({ "done": letters, "stayed": [] }))
    }

    async fn process(&self, _: &FleetView) -> Option<BTreeSet<WorkerId>> {
        Some(BTreeSet::new())
    }
}

/// A dashboard that serves. `end` stops it, and fails where it does not end well.
pub(crate) struct Served {
    pub(crate) address: SocketAddr,
    pub(crate) bus: Arc<dyn Bus>,
    operations: Arc<Noted>,
    stop: CancellationToken,
    serving: JoinHandle<Result<(), DashboardError>>,
    _folder: TempDir,
}

impl Served {
    pub(crate) async fn read_only() -> Self {
        Self::with(false).await
    }

    pub(crate) async fn with(token: bool) -> Self {
        Self::on(Arc::new(Embedded::in_memory()), token).await
    }

    pub(crate) async fn on(bus: Arc<dyn Bus>, token: bool) -> Self {
        let folder = TempDir::new().unwrap();
        let file = folder.path().join("fleet.toml");
        let text = "[builders.b1]\naddress = \"local\"\n[guests.g1]\naddress = \"ssh://g1\"\n";
        std::fs::write(&file, text).unwrap();
        let token = token.then(|| {
            let path = folder.path().join("token");
            std::fs::write(&path, TOKEN).unwrap();
            std::fs::set_permissions(&path, PermissionsExt::from_mode(0o600)).unwrap();
            Token::read(&path).unwrap()
        });
        let (operations, stop) = (Arc::new(Noted::default()), CancellationToken::new());
        let options = Options {
            listen: ([127, 0, 0, 1], 0).into(),
            certificate: None,
            limits: Limits {
                grace: Duration::from_secs(5),
                ..Limits::default()
            },
            names: ["fleet.example.org".to_owned()].into(),
            token,
            vitals: Vitals::default(),
        };
        let settings = Arc::new(config::load(&file).unwrap());
        let dashboard = Dashboard::open(
            settings,
            bus.clone(),
            operations.clone(),
            options,
            stop.clone(),
        );
        let dashboard = dashboard.await.unwrap();
        Self {
            address: dashboard.address().unwrap(),
            bus,
            operations,
            stop,
            serving: tokio::spawn(dashboard.serve()),
            _folder: folder,
        }
    }

    pub(crate) async fn end(self) {
        self.stop.cancel();
        self.serving.await.unwrap().unwrap();
    }

    pub(crate) fn put_back(&self) -> Vec<String> {
        self.operations.put_back.lock().unwrap().clone()
    }

    /// Says something on the bus.
    pub(crate) async fn say(&self, event: Event) {
        let envelope = Envelope::new("test@1".parse().unwrap(), Timestamp::now(), event);
        self.bus.publish(&envelope).await.unwrap();
    }

    /// Asks for a run of g1.
    pub(crate) async fn request(&self) -> RunId {
        let run = RunId::generate();
        self.say(Event::RunRequested(RunRequested {
            run,
            kind: RunKind::Update,
            guests: [("g1".parse().unwrap(), "default".parse().unwrap())].into(),
            force: false,
            sync: Default::default(),
            more_rounds: 0,
            follows: None,
            retries: 0,
            rollout: Default::default(),
            schedule: None,
        }))
        .await;
        run
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.ask("GET", path, "", "").await
    }

    /// A request under the server's own name.
    pub(crate) async fn ask(&self, method: &str, path: &str, headers: &str, body: &str) -> Answer {
        let own = format!("Host: {}\r\n{headers}", self.address);
        self.ask_by(method, path, &own, body).await
    }

    /// A request with all of its headers but those that end the connection.
    pub(crate) async fn ask_by(
        &self,
        method: &str,
        path: &str,
        headers: &str,
        body: &str,
    ) -> Answer {
        let length = body.len();
        let request = format!(
            "{method} {path} HTTP/1.1\r\n{headers}Connection: close\r\nContent-Length: {length}\r\n\r\n{body}"
        );
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).await.unwrap();
        Answer(String::from_utf8(bytes).unwrap())
    }

    /// Watches what happens, with these headers.
    pub(crate) async fn watch(&self, path: &str, headers: &str) -> Watching {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: {}\r\n{headers}\r\n",
            self.address
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        Watching {
            stream,
            text: String::new(),
        }
    }
}

pub(crate) struct Answer(pub(crate) String);

impl Answer {
    pub(crate) fn status(&self) -> u16 {
        let status = self.0.split(' ').nth(1).and_then(|word| word.parse().ok());
        status.unwrap_or_else(|| panic!("no status: {:?}", self.0))
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let head = self.0.split("\r\n\r\n").next()?;
        let mut headers = head
            .lines()
            .skip(1)
            .filter_map(|line| line.split_once(": "));
        headers
            .find(|(own, _)| own.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
    }

    pub(crate) fn body(&self) -> &str {
        self.0
            .split_once("\r\n\r\n")
            .map(|(_, body)| body)
            .unwrap_or_default()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(self.body()).unwrap_or_else(|error| panic!("{error}: {}", self.0))
    }

    /// The headers of a browser that has got this answer of `/api/session` or a login.
    pub(crate) fn page(&self, address: SocketAddr) -> String {
        let cookie = self
            .header("set-cookie")
            .unwrap()
            .split(';')
            .next()
            .unwrap();
        let proof = self.json()["csrf_token"].as_str().unwrap().to_owned();
        format!(
            "Cookie: {cookie}\r\nX-CSRF-Token: {proof}\r\nOrigin: http://{address}\r\n\
             Content-Type: application/json\r\n"
        )
    }
}

/// A connection on which events come.
pub(crate) struct Watching {
    stream: TcpStream,
    text: String,
}

impl Watching {
    /// Reads until this has come, and gives all that came.
    pub(crate) async fn until(&mut self, words: &str) -> &str {
        while !self.text.contains(words) {
            assert!(self.read_more().await, "no {words:?} in {}", self.text);
        }
        &self.text
    }

    /// Reads to the end of the connection.
    pub(crate) async fn rest(mut self) -> String {
        while self.read_more().await {}
        self.text
    }

    async fn read_more(&mut self) -> bool {
        let mut buffer = [0; 16 * 1024];
        let read = self.stream.read(&mut buffer);
        let read = tokio::time::timeout(Duration::from_secs(30), read).await;
        let read = read
            .unwrap_or_else(|_| panic!("nothing came after {}", self.text))
            .unwrap_or(0);
        self.text
            .push_str(&String::from_utf8_lossy(&buffer[..read]));
        read > 0
    }
}
