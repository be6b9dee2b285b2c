//! The dashboard as a process of its own, and who watches it.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use gentoo_updater_tests::fixtures::{Program, program};

pub(crate) struct Server {
    child: Child,
    pub(crate) address: String,
    /// They read what comes, as browsers do.
    watchers: Vec<TcpStream>,
}

impl Server {
    pub(crate) fn start(folder: &Path) -> Self {
        let mut child = Command::new(program(Program::Command))
            .arg("--config")
            .arg(folder.join("fleet.toml"))
            .args(["dashboard", "--listen", "127.0.0.1:0"])
            .env_remove("RUST_LOG")
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program");
        let mut log = BufReader::new(child.stderr.take().expect("a log"));
        let mut line = String::new();
        let address = loop {
            line.clear();
            assert!(
                log.read_line(&mut line).expect("a log") > 0,
                "the dashboard ended"
            );
            if let Some(at) = line.find("http://") {
                break line[at..].split("/;").next().unwrap_or_default().to_owned();
            }
        };
        // Nobody reads it later, and a full pipe would hold the program up.
        std::thread::spawn(move || std::io::copy(&mut log, &mut std::io::sink()));
        Self {
            child,
            address,
            watchers: Vec::new(),
        }
    }

    /// So many more watch from now on.
    pub(crate) fn watch(&mut self, count: usize) {
        let host = self
            .address
            .strip_prefix("http://")
            .expect("an address")
            .to_owned();
        for _ in 0..count {
            let mut stream = TcpStream::connect(&host).expect("the dashboard listens");
            let request = format!("GET /events HTTP/1.1\r\nHost: {host}\r\n\r\n");
            stream.write_all(request.as_bytes()).expect("a connection");
            let mut reading = stream.try_clone().expect("a connection");
            std::thread::spawn(move || {
                let mut buffer = [0; 16 * 1024];
                while reading.read(&mut buffer).is_ok_and(|read| read > 0) {}
            });
            self.watchers.push(stream);
        }
    }

    /// Its resident memory, in MB (10^6 bytes).
    pub(crate) fn resident(&self) -> f64 {
        self.memory("VmRSS:")
    }

    /// The most that it was.
    pub(crate) fn peak(&self) -> f64 {
        self.memory("VmHWM:")
    }

    fn memory(&self, what: &str) -> f64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()));
        let status = status.expect("the dashboard lives");
        let line = status.lines().find_map(|line| line.strip_prefix(what));
        let kibibytes = line.and_then(|line| line.split_whitespace().next()?.parse::<f64>().ok());
        kibibytes.expect("a number") * 1024.0 / 1e6
    }

    pub(crate) fn end(mut self) {
        self.watchers.clear();
        let pid = self.child.id().to_string();
        let told = Command::new("kill").args(["-TERM", &pid]).status();
        assert!(told.is_ok_and(|told| told.success()), "it is told to end");
        assert!(
            self.child.wait().expect("a child").success(),
            "it ends well"
        );
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended, as it should.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
