//! Erlang's port mapper, which nodes find each other by. A private one: the machine's stays as it
//! is.

use std::net::{Ipv4Addr, TcpStream};
use std::os::unix::process::CommandExt;
use std::process::{Child, Stdio};

use tempfile::TempDir;

use crate::installation::Installation;
use crate::owner::{OWNER_VARIABLE, PLACE_VARIABLE, folder, mark};
use crate::ports::free_port;
use crate::wait::until;

pub(crate) struct Epmd {
    pub(crate) port: u16,
    child: Child,
    /// Empty: it tells its processes from those of the nodes.
    _directory: TempDir,
}

impl Epmd {
    /// Starts one in a network namespace (`None`: this one).
    pub(crate) fn start(installation: &Installation, namespace: Option<&str>) -> Self {
        let (port, directory) = (free_port(), folder());
        let child = installation
            .command("epmd", directory.path(), namespace)
            .args(["-port", &port.to_string(), "-address", "127.0.0.1"])
            .env(OWNER_VARIABLE, mark())
            .env(PLACE_VARIABLE, directory.path())
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("epmd, which comes with rabbitmq-server, is needed");
        if namespace.is_none() {
            until("the start of epmd", || {
                TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok()
            });
        }
        Self {
            port,
            child,
            _directory: directory,
        }
    }
}

impl Drop for Epmd {
    fn drop(&mut self) {
        if let Err(error) = self.child.kill().and_then(|()| self.child.wait()) {
            eprintln!("epmd {} was not ended: {error}", self.child.id());
        }
    }
}
