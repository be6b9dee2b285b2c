//! One private node: own ports, own folder, listening on the loopback unless a test has a network
//! of its own.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Output;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use tempfile::TempDir;

use crate::epmd::Epmd;
use crate::installation::{Installation, PROGRAMS};
use crate::management;
use crate::owner;
use crate::ports::free_port;
use crate::vhost::Vhost;
use crate::wait::until;

/// The broker that the tests of this binary share while any of them runs.
static SHARED: Mutex<Weak<Broker>> = Mutex::new(Weak::new());

/// How much memory a broker may use before it takes no messages any more.
const MEMORY: &str = "400MB";
/// Nodes of a cluster have one cookie.
const COOKIE: &str = "PRIVATETOTHESETESTS";

/// Where a broker lives.
#[derive(Default)]
pub struct Place {
    network: Option<(String, Ipv4Addr)>,
    epmd: Option<Arc<Epmd>>,
}

impl Place {
    /// In a network namespace, where it is reached at this address. The test calls it from a
    /// place that the address can be reached from.
    pub fn in_namespace(name: String, address: Ipv4Addr) -> Self {
        Self {
            network: Some((name, address)),
            epmd: None,
        }
    }

    pub(crate) fn with_epmd(self, epmd: Arc<Epmd>) -> Self {
        Self {
            epmd: Some(epmd),
            ..self
        }
    }
}

/// A broker that is gone, with its epmd, when it is dropped.
pub struct Broker {
    pub(crate) directory: TempDir,
    pub(crate) installation: Installation,
    pub(crate) network: Option<(String, Ipv4Addr)>,
    pub(crate) port: u16,
    pub(crate) management: u16,
    pub(crate) distribution: u16,
    pub(crate) epmd: Arc<Epmd>,
    vhosts: AtomicU32,
}

impl Broker {
    /// The shared one, started by the first test that wants it.
    pub fn shared() -> Arc<Self> {
        let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(broker) = shared.upgrade() {
            return broker;
        }
        let broker = Self::start();
        *shared = Arc::downgrade(&broker);
        broker
    }

    /// One of its own, for a test that does something to the whole broker.
    pub fn start() -> Arc<Self> {
        Self::start_with("")
    }

    /// One of its own, with more lines of `rabbitmq.conf`.
    pub fn start_with(lines: &str) -> Arc<Self> {
        Self::start_in(Place::default(), lines)
    }

    /// One of its own, with these files in its folder. In the lines of `rabbitmq.conf` `{folder}`
    /// stands for that, as the broker sees it.
    pub fn start_with_files(files: &[PathBuf], lines: &str) -> Arc<Self> {
        let broker = Self::prepare(Place::default());
        for file in files {
            let name = file.file_name().and_then(|name| name.to_str());
            let copy = broker.path(name.expect("a file with a plain name"));
            fs::copy(file, copy).expect("a file that can be copied");
        }
        let folder = broker.directory.path();
        let folder = broker.installation.inside(folder, folder);
        broker.configure(&lines.replace("{folder}", &folder.display().to_string()));
        broker.boot();
        Arc::new(broker)
    }

    /// One of its own, in this place.
    pub fn start_in(place: Place, lines: &str) -> Arc<Self> {
        let broker = Self::prepare(place);
        broker.configure(lines);
        broker.boot();
        Arc::new(broker)
    }

    /// One with ports and a folder, which is neither configured nor started.
    pub(crate) fn prepare(place: Place) -> Self {
        let directory = owner::folder();
        let installation = Installation::chosen();
        let namespace = place.network.as_ref().map(|(name, _)| name.as_str());
        let epmd = place
            .epmd
            .unwrap_or_else(|| Arc::new(Epmd::start(&installation, namespace)));
        Self {
            directory,
            installation,
            network: place.network,
            port: free_port(),
            management: free_port(),
            distribution: free_port(),
            epmd,
            vhosts: AtomicU32::new(0),
        }
    }

    pub(crate) fn epmd(&self) -> Arc<Epmd> {
        self.epmd.clone()
    }

    /// Something in its folder.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Its name among nodes.
    pub fn node(&self) -> String {
        format!("t{}@localhost", self.port)
    }

    /// Where it is reached.
    pub fn address(&self) -> Ipv4Addr {
        self.network
            .as_ref()
            .map_or(Ipv4Addr::LOCALHOST, |(_, address)| *address)
    }

    /// Its port for AMQP.
    pub fn port(&self) -> u16 {
        self.port
    }

    pub(crate) fn configure(&self, lines: &str) {
        // In a namespace nobody else can reach it.
        let listen = match self.network {
            Some(_) => Ipv4Addr::UNSPECIFIED,
            None => Ipv4Addr::LOCALHOST,
        };
        let configuration = format!(
            "listeners.tcp.1 = {listen}:{}\n\
             management.tcp.ip = {listen}\n\
             management.tcp.port = {}\n\
             loopback_users = none\n\
             vm_memory_high_watermark.absolute = {MEMORY}\n\
             disk_free_limit.absolute = 50MB\n\
             log.file.level = info\n\
             {lines}\n",
            self.port, self.management
        );
        self.write("rabbitmq.conf", &configuration);
        self.write("advanced.config", "[].\n");
        self.write("plugins", "[rabbitmq_management].\n");
        self.write(".erlang.cookie", COOKIE);
        let cookie = fs::Permissions::from_mode(0o400);
        fs::set_permissions(self.path(".erlang.cookie"), cookie).expect("own files are mine");
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).expect("a temporary folder can be written to");
    }

    /// Calls `rabbitmqctl` and gives what it prints.
    pub fn control(&self, arguments: &[&str]) -> String {
        let output = self.command("rabbitmqctl").args(arguments).output();
        let output = output.expect("rabbitmqctl can be called");
        assert!(
            output.status.success(),
            "rabbitmqctl {}: {}{}",
            arguments.join(" "),
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// Calls a script where the broker is, with `rabbitmqctl` in its path.
    pub fn run_script(&self, script: &str) -> Output {
        self.write("script.sh", script);
        let inside = self
            .installation
            .inside(self.directory.path(), &self.path("script.sh"));
        let path =
            format!("{PROGRAMS}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
        let mut command = self.command("sh");
        let output = command.arg(inside).env("PATH", path).output();
        output.expect("a shell can be called")
    }

    /// Lets the broker find that its memory is short, so that it takes no messages; or not any
    /// more.
    pub fn memory_alarm(&self, on: bool) {
        let limit: &[&str] = if on { &["0"] } else { &["absolute", MEMORY] };
        self.control(&[&["set_vm_memory_high_watermark"], limit].concat());
        until("the alarm of the broker", || {
            let (status, _) = self.http("GET", "health/checks/local-alarms", "");
            (status != 200) == on
        });
    }

    /// A call of the management API. Answers with the status and the body.
    pub fn http(&self, method: &str, path: &str, body: &str) -> (u16, String) {
        let address = SocketAddr::from((self.address(), self.management));
        management::call(address, method, path, body)
            .unwrap_or_else(|error| panic!("{method} {path}: {error}"))
    }

    /// What the management API says of something.
    pub fn json(&self, path: &str) -> serde_json::Value {
        let (status, body) = self.http("GET", path, "");
        assert_eq!(status, 200, "{path}: {body}");
        serde_json::from_str(&body).unwrap_or_else(|error| panic!("{path}: {error}"))
    }

    /// The version of RabbitMQ.
    pub fn version(&self) -> String {
        let overview = self.json("overview");
        overview["rabbitmq_version"]
            .as_str()
            .unwrap_or("unknown")
            .to_owned()
    }

    /// A new vhost, which nothing is declared on.
    pub fn vhost(self: &Arc<Self>) -> Vhost {
        let name = format!("test{}", self.vhosts.fetch_add(1, Ordering::Relaxed));
        let (status, body) = self.http("PUT", &format!("vhosts/{name}"), "");
        assert_eq!(status, 201, "{body}");
        Vhost {
            broker: self.clone(),
            name,
        }
    }
}
