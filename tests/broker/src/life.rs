//! How a node starts and how it ends.

use std::fs;
use std::net::TcpStream;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::broker::Broker;
use crate::owner::{self, OWNER_VARIABLE, PLACE_VARIABLE};
use crate::wait::until;

/// How long a broker that is told to stop may take. One with streams takes longer than others.
const STOP_LIMIT: Duration = Duration::from_secs(30);

impl Broker {
    /// A program of RabbitMQ, in an environment that names everything it would look for elsewhere.
    pub(crate) fn command(&self, program: &str) -> Command {
        let data = self.directory.path();
        let namespace = self.network.as_ref().map(|(name, _)| name.as_str());
        let inside = |name: &str| self.installation.inside(data, &data.join(name));
        let mut command = self.installation.command(program, data, namespace);
        command
            .env_clear()
            .env("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
            .env("LANG", "C.UTF-8")
            .env("HOME", self.installation.inside(data, data))
            .env("RABBITMQ_NODENAME", self.node())
            .env("RABBITMQ_NODE_IP_ADDRESS", "127.0.0.1")
            .env("RABBITMQ_NODE_PORT", self.port.to_string())
            .env("RABBITMQ_DIST_PORT", self.distribution.to_string())
            .env("ERL_EPMD_PORT", self.epmd.port.to_string())
            .env("ERL_EPMD_ADDRESS", "127.0.0.1")
            .env("RABBITMQ_MNESIA_BASE", inside("data"))
            .env("RABBITMQ_LOG_BASE", inside("log"))
            .env("RABBITMQ_CONFIG_FILE", inside("rabbitmq.conf"))
            .env("RABBITMQ_ADVANCED_CONFIG_FILE", inside("advanced.config"))
            .env("RABBITMQ_ENABLED_PLUGINS_FILE", inside("plugins"))
            .env("RABBITMQ_PID_FILE", inside("pid"))
            .env("RABBITMQ_GENERATED_CONFIG_DIR", inside("generated"))
            .env("RABBITMQ_SCHEMA_DIR", inside("schema"))
            .env("RABBITMQ_CONF_ENV_FILE", "/dev/null")
            .env("RABBITMQ_FEATURE_FLAGS_FILE", inside("feature_flags"))
            .env(
                "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS",
                // No busy waiting: the machine belongs to the tests.
                "-kernel inet_dist_use_interface {127,0,0,1} +sbwt none +sbwtdcpu none +sbwtdio none",
            )
            .stdin(Stdio::null());
        command
    }

    /// Starts the node and waits until it serves.
    pub fn boot(&self) {
        self.launch();
        self.wait_until_it_serves();
    }

    pub(crate) fn launch(&self) {
        let log = fs::File::create(self.path("start.log")).expect("a log can be written");
        let started = self
            .command("rabbitmq-server")
            .arg("-detached")
            .env(OWNER_VARIABLE, owner::mark())
            .env(PLACE_VARIABLE, self.directory.path())
            .process_group(0)
            .stdout(log.try_clone().expect("a file can be shared"))
            .stderr(log)
            .status()
            .expect("rabbitmq-server is needed");
        assert!(
            started.success(),
            "rabbitmq-server does not start: {}",
            self.words()
        );
    }

    pub(crate) fn wait_until_it_serves(&self) {
        let begun = Instant::now();
        until("the start of the broker", || {
            let serves = |port| TcpStream::connect((self.address(), port)).is_ok();
            if serves(self.port) && serves(self.management) {
                return true;
            }
            let is_gone = begun.elapsed() > Duration::from_secs(15) && self.pid().is_none();
            assert!(!is_gone, "the broker did not start: {}", self.words());
            false
        });
    }

    /// The end of what the broker logged.
    fn words(&self) -> String {
        let mut words = fs::read_to_string(self.path("start.log")).unwrap_or_default();
        words.push_str(&self.log());
        let lines: Vec<&str> = words.lines().collect();
        lines[lines.len().saturating_sub(30)..].join("\n")
    }

    /// What the broker has logged.
    pub fn log(&self) -> String {
        fs::read_to_string(self.path(&format!("log/{}.log", self.node()))).unwrap_or_default()
    }

    /// The node's own process. Its pid file would not do: it goes when the node begins to stop.
    fn pid(&self) -> Option<u32> {
        let mut processes = owner::processes_in(self.directory.path()).into_iter();
        processes.find(|pid| {
            let name = fs::read_to_string(format!("/proc/{pid}/comm"));
            name.is_ok_and(|name| name.trim_end() == "beam.smp")
        })
    }

    fn end(&self, signal: Signal, patience: Duration) -> bool {
        let Some(pid) = self.pid() else { return true };
        let process = i32::try_from(pid)
            .ok()
            .and_then(Pid::from_raw)
            .expect("a process number");
        // It may have ended by itself meanwhile.
        let _ = kill_process(process, signal);
        let deadline = Instant::now() + patience;
        while Path::new(&format!("/proc/{pid}")).exists() {
            if Instant::now() > deadline {
                return false;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        true
    }

    /// As a power cut would.
    ///
    /// # Panics
    /// When it does not run.
    pub fn kill(&self) {
        assert!(
            self.pid().is_some(),
            "the broker does not run: {}",
            self.words()
        );
        assert!(
            self.end(Signal::KILL, STOP_LIMIT),
            "the broker does not end"
        );
    }

    /// Stops it in good order.
    pub fn stop(&self) {
        assert!(
            self.end(Signal::TERM, STOP_LIMIT),
            "the broker does not stop"
        );
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        // Nothing waits for its data. A test that wants a clean stop calls for one.
        self.end(Signal::KILL, STOP_LIMIT);
        owner::end_all_in(self.directory.path());
    }
}
