//! A private RabbitMQ: own node, own ports, own folder, listening on the loopback only.

use std::fs;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, Weak};
use std::time::{Duration, Instant};

use tempfile::TempDir;

const SERVER: &str = "/usr/lib/rabbitmq/bin/rabbitmq-server";
/// Names another server to test against, for example a script that starts one in a chroot.
const SERVER_VARIABLE: &str = "GENTOO_UPDATER_TEST_RABBITMQ_SERVER";
/// The user that a new node has, `guest:guest`, as HTTP's basic authentication.
const AUTHORIZATION: &str = "Basic Z3Vlc3Q6Z3Vlc3Q=";

/// The broker that the tests of this binary share while any of them runs.
static SHARED: Mutex<Weak<Broker>> = Mutex::new(Weak::new());

/// A broker that is stopped, with its epmd, when it is dropped.
pub(crate) struct Broker {
    directory: TempDir,
    port: u16,
    management: u16,
    distribution: u16,
    epmd_port: u16,
    epmd: Child,
    vhosts: AtomicU32,
}

/// A vhost of its own for one test.
pub(crate) struct Vhost {
    pub(crate) broker: Arc<Broker>,
    pub(crate) name: String,
}

fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    listener.local_addr().unwrap().port()
}

fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(120);
    while !holds() {
        assert!(
            Instant::now() < deadline,
            "{what} did not happen within 120 s"
        );
        std::thread::sleep(Duration::from_millis(50));
    }
}

impl Broker {
    /// The shared one, started by the first test that wants it.
    pub(crate) fn shared() -> Arc<Self> {
        let mut shared = SHARED
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner());
        if let Some(broker) = shared.upgrade() {
            return broker;
        }
        let broker = Self::start();
        *shared = Arc::downgrade(&broker);
        broker
    }

    /// One of its own, for a test that kills it.
    pub(crate) fn start() -> Arc<Self> {
        let directory = TempDir::new().unwrap();
        let epmd_port = free_port();
        let epmd = Command::new("epmd")
            .args(["-port", &epmd_port.to_string(), "-address", "127.0.0.1"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("epmd, which comes with rabbitmq-server, is needed");
        let broker = Self {
            directory,
            port: free_port(),
            management: free_port(),
            distribution: free_port(),
            epmd_port,
            epmd,
            vhosts: AtomicU32::new(0),
        };
        broker.configure();
        broker.boot();
        Arc::new(broker)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn configure(&self) {
        let configuration = format!(
            "listeners.tcp.1 = 127.0.0.1:{}\n\
             management.tcp.ip = 127.0.0.1\n\
             management.tcp.port = {}\n\
             vm_memory_high_watermark.absolute = 400MB\n\
             disk_free_limit.absolute = 50MB\n",
            self.port, self.management
        );
        fs::write(self.path("rabbitmq.conf"), configuration).unwrap();
        fs::write(self.path("advanced.config"), "[].\n").unwrap();
        fs::write(self.path("plugins"), "[rabbitmq_management].\n").unwrap();
        let cookie = self.path(".erlang.cookie");
        fs::write(&cookie, "PRIVATETOTHESETESTS").unwrap();
        fs::set_permissions(&cookie, fs::Permissions::from_mode(0o400)).unwrap();
    }

    /// Starts the node and waits until it serves.
    pub(crate) fn boot(&self) {
        let server = std::env::var(SERVER_VARIABLE).unwrap_or_else(|_| SERVER.to_owned());
        let mut server = Command::new(server);
        let server = self.in_its_environment(server.arg("-detached"));
        let status = server.status().expect("rabbitmq-server is needed");
        assert!(status.success());
        until("the start of the broker", || {
            TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).is_ok()
                && TcpStream::connect((Ipv4Addr::LOCALHOST, self.management)).is_ok()
        });
    }

    pub(crate) fn in_its_environment<'c>(&self, command: &'c mut Command) -> &'c mut Command {
        command
            .env_clear()
            .env(
                "PATH",
                "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            )
            .env("LANG", "C.UTF-8")
            .env("HOME", self.directory.path())
            .env("RABBITMQ_NODENAME", format!("t{}@localhost", self.port))
            .env("RABBITMQ_NODE_IP_ADDRESS", "127.0.0.1")
            .env("RABBITMQ_NODE_PORT", self.port.to_string())
            .env("RABBITMQ_DIST_PORT", self.distribution.to_string())
            .env("ERL_EPMD_PORT", self.epmd_port.to_string())
            .env("ERL_EPMD_ADDRESS", "127.0.0.1")
            .env("RABBITMQ_MNESIA_BASE", self.path("data"))
            .env("RABBITMQ_LOG_BASE", self.path("log"))
            .env("RABBITMQ_CONFIG_FILE", self.path("rabbitmq.conf"))
            .env(
                "RABBITMQ_ADVANCED_CONFIG_FILE",
                self.path("advanced.config"),
            )
            .env("RABBITMQ_ENABLED_PLUGINS_FILE", self.path("plugins"))
            .env("RABBITMQ_PID_FILE", self.path("pid"))
            .env("RABBITMQ_GENERATED_CONFIG_DIR", self.path("generated"))
            .env("RABBITMQ_SCHEMA_DIR", self.path("schema"))
            .env("RABBITMQ_CONF_ENV_FILE", "/dev/null")
            .env("RABBITMQ_FEATURE_FLAGS_FILE", self.path("feature_flags"))
            .env(
                "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS",
                "-kernel inet_dist_use_interface {127,0,0,1}",
            )
            .stdout(Stdio::null())
            .stderr(Stdio::null())
    }

    fn pid(&self) -> Option<String> {
        let pid = fs::read_to_string(self.path("pid")).ok()?.trim().to_owned();
        fs::exists(format!("/proc/{pid}"))
            .unwrap_or(false)
            .then_some(pid)
    }

    fn signal(pid: &str, signal: &str) {
        assert!(
            Command::new("kill")
                .args([signal, pid])
                .status()
                .unwrap()
                .success()
        );
    }

    /// As a power cut would.
    pub(crate) fn kill(&self) {
        let pid = self.pid().unwrap();
        Self::signal(&pid, "-KILL");
        until("the end of the broker", || {
            !fs::exists(format!("/proc/{pid}")).unwrap()
        });
    }

    /// A call of the management API. Answers with the status and the body.
    pub(crate) fn http(&self, method: &str, path: &str, body: &str) -> (u16, String) {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.management)).unwrap();
        let length = body.len();
        // HTTP/1.0: the answer ends with the connection.
        let request = format!(
            "{method} /api/{path} HTTP/1.0\r\nAuthorization: {AUTHORIZATION}\r\n\
             Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
        );
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let status = answer.split(' ').nth(1).unwrap().parse().unwrap();
        let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
        (status, body.to_owned())
    }

    fn json(&self, path: &str) -> serde_json::Value {
        let (status, body) = self.http("GET", path, "");
        assert_eq!(status, 200, "{path}: {body}");
        serde_json::from_str(&body).unwrap()
    }

    /// A new vhost, which nothing is declared on.
    pub(crate) fn vhost(self: &Arc<Self>) -> Vhost {
        let name = format!("test{}", self.vhosts.fetch_add(1, Ordering::Relaxed));
        let (status, body) = self.http("PUT", &format!("vhosts/{name}"), "");
        assert_eq!(status, 201, "{body}");
        Vhost {
            broker: self.clone(),
            name,
        }
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        if let Some(pid) = self.pid() {
            Self::signal(&pid, "-TERM");
            // The broker removes its pid file before it ends.
            let deadline = Instant::now() + Duration::from_secs(30);
            while fs::exists(format!("/proc/{pid}")).unwrap_or(false) {
                if Instant::now() > deadline {
                    Self::signal(&pid, "-KILL");
                }
                std::thread::sleep(Duration::from_millis(50));
            }
        }
        let ended = self.epmd.kill().and_then(|()| self.epmd.wait());
        if let Err(error) = ended {
            eprintln!("epmd {} was not ended: {error}", self.epmd.id());
        }
    }
}

impl Vhost {
    /// The URL for a user whose password is its name.
    pub(crate) fn url_for(&self, user: &str) -> String {
        format!(
            "amqp://{user}:{user}@127.0.0.1:{}/{}",
            self.broker.port, self.name
        )
    }

    pub(crate) fn url(&self) -> String {
        self.url_for("guest")
    }

    /// Cuts all connections to this vhost, and says how many there were. The API shows a new
    /// connection some seconds late, so it is asked until it has shown `expected`.
    pub(crate) fn cut_connections(&self, expected: usize) {
        let path = format!("vhosts/{}/connections", self.name);
        let mut names = Vec::new();
        until("the list of connections", || {
            let connections = self.broker.json(&path);
            let named = connections.as_array().unwrap().iter();
            names = named
                .filter_map(|c| c["name"].as_str().map(str::to_owned))
                .collect();
            names.len() >= expected
        });
        for name in names {
            let name = name.replace(' ', "%20").replace('>', "%3E");
            let (status, body) = self
                .broker
                .http("DELETE", &format!("connections/{name}"), "");
            assert!(status == 204 || status == 404, "{status} {body}");
        }
    }

    /// The arguments of a queue as the broker knows them.
    pub(crate) fn queue_arguments(&self, queue: &str) -> serde_json::Value {
        self.broker.json(&format!("queues/{}/{queue}", self.name))["arguments"].clone()
    }

    /// Waits until the broker would find its queues again after a power cut.
    ///
    /// It keeps the registry of its replicated state machines in a DETS table that it writes
    /// half a second late (`ra_directory`, `auto_save`). Killed before, it comes up with queues
    /// that are "down or inaccessible" for ever.
    pub(crate) fn wait_until_registered(&self, last_queue: &str) {
        let node = format!("t{}@localhost", self.broker.port);
        let queue = format!("{}_{last_queue}", self.name);
        let registered = |system: &str, name: &str| {
            let path = self
                .broker
                .path(&format!("data/{node}/{system}/{node}/names.dets"));
            let table = fs::read(path).unwrap_or_default();
            table
                .windows(name.len())
                .any(|window| window == name.as_bytes())
        };
        until("the registration of the queues", || {
            registered("coordination", "rabbit_stream_coordinator") && registered("quorum", &queue)
        });
    }

    pub(crate) fn delete_queue(&self, queue: &str) {
        let (status, body) =
            self.broker
                .http("DELETE", &format!("queues/{}/{queue}", self.name), "");
        assert_eq!(status, 204, "{body}");
    }

    /// A user whose password is its name, with a permission for what it may configure, write
    /// and read.
    pub(crate) fn user(&self, name: &str, configure: &str, write: &str, read: &str) {
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
