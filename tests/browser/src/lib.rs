//! A real browser without a screen, for tests of pages: Debian's Chromium.
//!
//! It is spoken to over two pipes (`--remote-debugging-pipe`), in the DevTools protocol
//! (<https://chromedevtools.github.io/devtools-protocol/>), so it needs no port, and ends with the value
//! that stands for it. It can ask this machine for something, and nobody else.

mod page;
mod pipe;

use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::pipe::Pipe;

/// The program.
const CHROMIUM: &str = "chromium";
/// Its standard input and output become the files 3 and 4, which are the pipes of the protocol.
const START: &str = "exec \"$@\" 3<&0 4>&1 1>&2";

const ARGUMENTS: [&str; 12] = [
    "--headless=new",
    "--remote-debugging-pipe",
    // Tests run as root, for whom it has no other sandbox; the pages are this project's own.
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--no-proxy-server",
    "--mute-audio",
    // Whatever a page or the browser itself might want elsewhere is not there.
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost",
];

/// A browser with one page.
pub struct Browser {
    pipe: Pipe,
    session: Option<String>,
    child: Child,
    /// What happened on the page since it was asked the last time.
    happened: Vec<Value>,
    _profile: TempDir,
}

impl Browser {
    /// Starts a browser. In the network namespace of that name, where one is named.
    ///
    /// # Panics
    /// When it cannot be started; `tests/setup.sh` installs it.
    pub fn start(netns: Option<&str>) -> Self {
        let profile = tempfile::tempdir().expect("a folder for a browser");
        let mut command = match netns {
            Some(netns) => {
                let mut command = Command::new("ip");
                command.args(["netns", "exec", netns, "sh"]);
                command
            }
            None => Command::new("sh"),
        };
        command
            .args(["-c", START, "sh", CHROMIUM])
            .args(ARGUMENTS)
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .arg("about:blank")
            .env("HOME", profile.path())
            .env("LANG", "C.UTF-8")
            .env("TZ", "UTC")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        let mut child = command.spawn().expect("a shell that starts chromium");
        let pipe = Pipe::new(
            child.stdin.take().expect("a pipe"),
            child.stdout.take().expect("a pipe"),
        );
        let mut browser = Self {
            pipe,
            session: None,
            child,
            happened: Vec::new(),
            _profile: profile,
        };
        let target = browser.call("Target.createTarget", json!({ "url": "about:blank" }));
        let target = json!({ "targetId": target["targetId"], "flatten": true });
        let session = browser.call("Target.attachToTarget", target);
        let session = session["sessionId"].as_str().expect("a session");
        browser.session = Some(session.to_owned());
        for domain in ["Page", "Runtime", "Log", "Network"] {
            browser.call(&format!("{domain}.enable"), json!({}));
        }
        browser
    }

    /// Calls a method of the protocol.
    ///
    /// # Panics
    /// When the browser refuses, or says nothing for a minute.
    pub fn call(&mut self, method: &str, parameters: Value) -> Value {
        let (result, happened) = self.pipe.call(self.session.as_deref(), method, parameters);
        self.happened.extend(happened);
        result
    }

    /// Writes what is to be seen now as a PNG.
    ///
    /// # Panics
    /// When it cannot be written.
    pub fn screenshot(&mut self, path: &Path) {
        use base64::Engine as _;
        let taken = self.call("Page.captureScreenshot", json!({ "format": "png" }));
        let data = taken["data"].as_str().expect("a picture");
        let bytes = base64::prelude::BASE64_STANDARD.decode(data);
        std::fs::write(path, bytes.expect("Base64")).expect("a picture is written");
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // Its other processes end when their pipes to this one do.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
