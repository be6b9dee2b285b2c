//! What somebody does with a page, and sees of it.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::Browser;

/// How long a page may take for what is waited for.
const PATIENCE: Duration = Duration::from_secs(60);

impl Browser {
    /// Goes to an address, and waits until the page says that it is drawn (`data-drawn`).
    ///
    /// # Panics
    /// When it does not within a minute.
    pub fn open(&mut self, address: &str) {
        self.call("Page.navigate", json!({ "url": address }));
        let drawn = "document.documentElement?.dataset.drawn === ''";
        self.until(&format!("{drawn} && location.href === {}", json!(address)));
    }

    /// What an expression comes to; a promise is waited for.
    ///
    /// # Panics
    /// When it throws.
    pub fn evaluate(&mut self, expression: &str) -> Value {
        let parameters = json!({
            "expression": expression,
            "awaitPromise": true,
            "returnByValue": true,
            "userGesture": true,
        });
        let mut told = self.call("Runtime.evaluate", parameters);
        let thrown = &told["exceptionDetails"];
        assert!(thrown.is_null(), "{expression}: {thrown:#}");
        told["result"]["value"].take()
    }

    /// Waits until an expression is true.
    ///
    /// # Panics
    /// When it is not within a minute, with what the page says by then.
    pub fn until(&mut self, expression: &str) {
        let deadline = Instant::now() + PATIENCE;
        // The page may be on its way to another one, and have nothing yet.
        let guarded = format!(
            "(() => {{ try {{ return Boolean({expression}); }} catch {{ return false; }} }})()"
        );
        while self.evaluate(&guarded) != true {
            if Instant::now() >= deadline {
                let text = self.text("body");
                panic!(
                    "not so within {} s: {expression}\n{text}",
                    PATIENCE.as_secs()
                );
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// The text of the first element like this; empty where there is none.
    pub fn text(&mut self, selector: &str) -> String {
        let selector = json!(selector);
        let text = self.evaluate(&format!(
            "document.querySelector({selector})?.innerText ?? ''"
        ));
        text.as_str().unwrap_or_default().to_owned()
    }

    /// Waits until the first element like this has a text.
    ///
    /// # Panics
    /// When it has not within a minute.
    pub fn until_text(&mut self, selector: &str, text: &str) {
        let (selector, text) = (json!(selector), json!(text));
        self.until(&format!(
            "document.querySelector({selector}).innerText.includes({text})"
        ));
    }

    /// Presses and releases a key: a letter, or a name such as `Tab`, `Enter`, `ArrowRight`.
    pub fn press(&mut self, key: &str) {
        let mut down = json!({ "type": "keyDown", "key": key });
        if key.chars().count() == 1 {
            down["text"] = key.into();
        }
        let code = match key {
            "Tab" => 9,
            "Enter" => {
                down["text"] = "\r".into();
                13
            }
            "Escape" => 27,
            "ArrowLeft" => 37,
            "ArrowUp" => 38,
            "ArrowRight" => 39,
            "ArrowDown" => 40,
            _ => 0,
        };
        if code > 0 {
            down["windowsVirtualKeyCode"] = code.into();
            down["code"] = key.into();
        }
        self.call("Input.dispatchKeyEvent", down.clone());
        down["type"] = "keyUp".into();
        if let Some(up) = down.as_object_mut() {
            up.remove("text");
        }
        self.call("Input.dispatchKeyEvent", down);
    }

    /// Types a text where the focus is.
    pub fn type_in(&mut self, text: &str) {
        self.call("Input.insertText", json!({ "text": text }));
    }

    /// Gives the window a size, as of a telephone where it is narrow.
    pub fn size(&mut self, width: u32, height: u32) {
        let parameters = json!({
            "width": width,
            "height": height,
            "deviceScaleFactor": 1,
            "mobile": width < 500,
        });
        self.call("Emulation.setDeviceMetricsOverride", parameters);
    }

    /// What the system prefers: `light` or `dark`.
    pub fn prefer(&mut self, scheme: &str) {
        let features = json!([{ "name": "prefers-color-scheme", "value": scheme }]);
        self.call(
            "Emulation.setEmulatedMedia",
            json!({ "features": features }),
        );
    }

    /// All that went wrong on the page since this was asked the last time: what it threw or warned of, what
    /// the browser complained about (as violations of its content security policy), and what it asked of
    /// others than the server at `origin`.
    pub fn problems(&mut self, origin: &str) -> Vec<String> {
        // What has happened by now has been told by then.
        self.evaluate("0");
        let happened = std::mem::take(&mut self.happened);
        happened
            .iter()
            .filter_map(|event| problem(event, origin))
            .collect()
    }
}

fn problem(event: &Value, origin: &str) -> Option<String> {
    let told = &event["params"];
    match event["method"].as_str()? {
        "Runtime.exceptionThrown" => Some(format!("thrown: {}", told["exceptionDetails"])),
        "Runtime.consoleAPICalled" => {
            let is_bad = matches!(told["type"].as_str(), Some("error" | "warning" | "assert"));
            is_bad.then(|| format!("console: {}", told["args"]))
        }
        "Log.entryAdded" => {
            let entry = &told["entry"];
            let is_bad = matches!(entry["level"].as_str(), Some("error" | "warning"));
            is_bad.then(|| format!("log: {} {}", entry["text"], entry["url"]))
        }
        "Network.requestWillBeSent" => {
            let url = told["request"]["url"].as_str()?;
            let is_own =
                url.starts_with(origin) || url.starts_with("data:") || url == "about:blank";
            (!is_own).then(|| format!("asked elsewhere: {url}"))
        }
        _ => None,
    }
}
