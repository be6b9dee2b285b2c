//! A real sshd on a loopback port of its own, which ends with its guard.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Condvar, Mutex};

use gentoo_updater_hosts::{Host, HostAddress, HostError, SshAddress, SshSettings, connect};
use tempfile::TempDir;

/// The kinds of host keys that a server has, as the file names and [`generate_key`] call them.
pub(crate) const KINDS: [&str; 5] = ["ed25519", "ecdsa", "ecdsa384", "ecdsa521", "rsa"];

pub(crate) struct Server {
    pub(crate) folder: TempDir,
    pub(crate) port: u16,
    child: Child,
    log: Log,
}

type Log = Arc<(Mutex<String>, Condvar)>;

/// Runs a tool to its end; it has to succeed.
pub(crate) fn tool(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output().unwrap();
    assert!(
        output.status.success(),
        "{program} {arguments:?}: {output:?}"
    );
    String::from_utf8(output.stdout).unwrap()
}

pub(crate) fn generate_key(kind: &str, path: &Path) {
    let path = path.to_str().unwrap();
    let arguments = ["-q", "-N", "", "-C", "", "-f", path, "-t"];
    let kind: &[&str] = match kind {
        "ecdsa384" => &["ecdsa", "-b", "384"],
        "ecdsa521" => &["ecdsa", "-b", "521"],
        kind => &[kind],
    };
    tool("ssh-keygen", &[&arguments, kind].concat());
}

/// The public half of a key, as it stands in a known_hosts line.
pub(crate) fn public_key(path: &Path) -> String {
    let text = fs::read_to_string(path.with_extension("pub")).unwrap();
    text.trim().to_owned()
}

impl Server {
    pub(crate) fn start() -> Self {
        Self::start_with("")
    }

    /// Starts a server with more lines in its configuration.
    pub(crate) fn start_with(more: &str) -> Self {
        Self::start_prepared(|_| more.to_owned())
    }

    /// Starts a server whose folder, where its keys are by then, is prepared by who gives more lines
    /// of its configuration.
    pub(crate) fn start_prepared(prepare: impl FnOnce(&Path) -> String) -> Self {
        let folder = tempfile::tempdir().unwrap();
        // It refuses to start without this folder; packages of OpenSSH make it at boot.
        fs::create_dir_all("/run/sshd").unwrap();
        for kind in KINDS {
            generate_key(kind, &folder.path().join(format!("host_{kind}")));
        }
        generate_key("ed25519", &folder.path().join("identity"));
        fs::copy(
            folder.path().join("identity.pub"),
            folder.path().join("authorized_keys"),
        )
        .unwrap();
        fs::create_dir(folder.path().join("home")).unwrap();
        let more = prepare(folder.path());
        loop {
            // Another process may take the port before sshd does: then it says so, and ends.
            let port = TcpListener::bind("127.0.0.1:0")
                .unwrap()
                .local_addr()
                .unwrap()
                .port();
            if let Some((child, log)) = spawn(folder.path(), port, &more) {
                let server = Self {
                    folder,
                    port,
                    child,
                    log,
                };
                server.write_known_hosts(&KINDS);
                return server;
            }
        }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The public host key of one kind, as in a known_hosts line.
    pub(crate) fn host_key(&self, kind: &str) -> String {
        public_key(&self.path(&format!("host_{kind}")))
    }

    pub(crate) fn known_hosts_name(&self) -> String {
        format!("[127.0.0.1]:{}", self.port)
    }

    pub(crate) fn write_known_hosts(&self, kinds: &[&str]) {
        let lines = kinds
            .iter()
            .map(|kind| format!("{} {}\n", self.known_hosts_name(), self.host_key(kind)));
        fs::write(self.path("known_hosts"), lines.collect::<String>()).unwrap();
    }

    pub(crate) fn ssh_address(&self) -> SshAddress {
        SshAddress::new(tool("id", &["-un"]).trim(), "127.0.0.1", self.port).unwrap()
    }

    pub(crate) fn settings(&self) -> SshSettings {
        SshSettings {
            known_hosts: vec![self.path("known_hosts")],
            identity_files: Some(vec![self.path("identity")]),
            ..SshSettings::default()
        }
    }

    pub(crate) async fn connect(&self) -> Result<Arc<dyn Host>, HostError> {
        connect(&HostAddress::Ssh(self.ssh_address()), &self.settings()).await
    }

    /// What the server logged so far.
    pub(crate) fn log(&self) -> String {
        self.log.0.lock().unwrap().clone()
    }

    /// Kills the processes that serve the open connections, as a machine's crash or a cut path
    /// would, and leaves the listening one. Gives how many there were.
    pub(crate) fn cut_connections(&self) -> usize {
        self.signal_connections("-KILL")
    }

    /// Stops the processes that serve the open connections: a path that went dead in silence.
    pub(crate) fn freeze_connections(&self) -> usize {
        self.signal_connections("-STOP")
    }

    /// How many connections are open.
    pub(crate) fn connections(&self) -> usize {
        children_of(self.child.id()).len()
    }

    fn signal_connections(&self, signal: &str) -> usize {
        let sessions = children_of(self.child.id());
        for pid in &sessions {
            // Those that end by themselves meanwhile are no matter.
            let _ = Command::new("kill")
                .args([signal, pid])
                .stderr(Stdio::null())
                .status();
        }
        sessions.len()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // The listening process is stopped first, so that it makes no more children, and killed
        // last: without it they would be nobody's, and not found.
        let _ = Command::new("kill")
            .args(["-STOP", &self.child.id().to_string()])
            .status();
        self.cut_connections();
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn spawn(folder: &Path, port: u16, more: &str) -> Option<(Child, Log)> {
    let at = folder.display();
    // A home of its own: what the real one's .bashrc does is not the business of a test.
    let host_keys: String = KINDS
        .iter()
        .map(|kind| format!("HostKey {at}/host_{kind}\n"))
        .collect();
    let configuration = format!(
        "ListenAddress 127.0.0.1:{port}\n{host_keys}AuthorizedKeysFile {at}/authorized_keys\nStrictModes no\nUsePAM no\n\
         PidFile none\nPasswordAuthentication no\nKbdInteractiveAuthentication no\n\
         PermitRootLogin prohibit-password\nLogLevel VERBOSE\nSetEnv HOME={at}/home\n{more}\n"
    );
    fs::write(folder.join("sshd_config"), configuration).unwrap();
    let mut child = Command::new("/usr/sbin/sshd")
        .args(["-D", "-e", "-f"])
        .arg(folder.join("sshd_config"))
        .stdin(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let log = Arc::new((Mutex::new(String::new()), Condvar::new()));
    let lines = BufReader::new(child.stderr.take().unwrap());
    let writer = Arc::clone(&log);
    std::thread::spawn(move || {
        for line in lines.lines().map_while(Result::ok) {
            writer.0.lock().unwrap().push_str(&(line + "\n"));
            writer.1.notify_all();
        }
        writer.0.lock().unwrap().push_str("END\n");
        writer.1.notify_all();
    });
    let started = log
        .1
        .wait_while(log.0.lock().unwrap(), |text| {
            !text.contains("Server listening on") && !text.contains("END\n")
        })
        .unwrap()
        .clone();
    if started.contains("Server listening on") {
        return Some((child, log));
    }
    child.wait().unwrap();
    assert!(
        started.contains("Address already in use"),
        "sshd does not start: {started}"
    );
    None
}

fn children_of(parent: u32) -> Vec<String> {
    let parent = parent.to_string();
    let mut children = Vec::new();
    for entry in fs::read_dir("/proc").unwrap().flatten() {
        let Ok(stat) = fs::read_to_string(entry.path().join("stat")) else {
            continue;
        };
        // proc_pid_stat(5): after the name in parentheses come the state and the parent.
        let fields = stat
            .rsplit_once(") ")
            .map(|(_, fields)| fields)
            .unwrap_or_default();
        if fields.split(' ').nth(1) == Some(parent.as_str()) {
            children.push(entry.file_name().into_string().unwrap());
        }
    }
    children
}
