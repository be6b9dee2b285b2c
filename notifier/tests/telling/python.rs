//! Servers of Debian's Python.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

/// One that prints its port when it listens. It serves until it is dropped.
pub(crate) struct PythonServer {
    child: Child,
    pub(crate) port: u16,
}

impl PythonServer {
    pub(crate) fn start<S: AsRef<OsStr>>(
        program: &str,
        arguments: impl IntoIterator<Item = S>,
    ) -> Self {
        let mut child = Command::new("/usr/bin/python3")
            .args(["-c", program])
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        output.read_line(&mut line).unwrap();
        let port = line.trim().parse().unwrap();
        Self { child, port }
    }
}

impl Drop for PythonServer {
    fn drop(&mut self) {
        // It serves until then.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
