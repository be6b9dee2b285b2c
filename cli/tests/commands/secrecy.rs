//! Passwords in a configuration that cannot be used: what is said of it may land in a journal, or in a ticket.

use tempfile::TempDir;

use crate::program::{command, run};

const PASSWORD: &str = "hunter2hunter2";

/// A fleet with one more text in its configuration, in which PASSWORD stands for one.
fn fleet(address: &str, more: &str) -> TempDir {
    let folder = TempDir::new().unwrap();
    let text = format!(
        "state_directory = {:?}\n[builders.b1]\naddress = \"local\"\n[guests.g1]\naddress = \
         \"{address}\"\n{more}\n",
        folder.path().join("state")
    );
    let text = text.replace("PASSWORD", PASSWORD);
    std::fs::write(folder.path().join("fleet.toml"), text).unwrap();
    folder
}

#[test]
fn no_password_is_shown_of_a_configuration_that_cannot_be_used() {
    let broker = |text: &str| format!("[broker]\n{text}");
    let slips = [
        // No quotes, another key, a table that is text, a scheme that is none.
        ("local", broker("url = amqp://user:PASSWORD@mq.example.net/fleet"), "line 7, column 7"),
        ("local", broker("urll = \"amqp://user:PASSWORD@mq.example.net/fleet\""), "urll"),
        ("local", "broker = \"amqp://user:PASSWORD@mq.example.net/fleet\"".to_owned(), "guests.g1"),
        ("local", broker("url = [\"amqp://user:PASSWORD@mq/fleet\"]"), "broker.url"),
        ("local", broker("url = \"http://user:PASSWORD@mq/fleet\""), "broker.url"),
        (
            "local",
            "[notifications.ops]\ntype = \"mail\"\nserver = \"mx.example.net\"\npassword = \"PASSWORD\""
                .to_owned(),
            "unknown field `password`",
        ),
        (
            "local",
            "[notifications.ops]\ntype = \"mail\"\nport = \"PASSWORD\"".to_owned(),
            "notifications.ops.port",
        ),
        (
            "local",
            "[platforms.p]\nurl = \"https://user:PASSWORD@store.example.net/p q\"".to_owned(),
            "https://user:***@store.example.net/p q",
        ),
        ("ssh://root:PASSWORD@127.0.0.3:1", String::new(), "\"ssh://root:***@127.0.0.3:1\""),
        ("ssh://root:PASS WORD@127.0.0.3:1", String::new(), "\"ssh://root:***@127.0.0.3:1\""),
    ];
    for (address, more, words) in slips {
        let address = address.replace("PASS WORD", &format!("two {PASSWORD}"));
        let fleet = fleet(&address, &more);
        for arguments in [
            &["config", "check"][..],
            &["doctor"],
            &["notify", "list", "--json"],
        ] {
            let (code, out, err) = run(&fleet, arguments);
            assert_eq!(code, Some(64), "{arguments:?} {more}: {out}{err}");
            assert!(err.contains(words), "{words} of {more}: {err}");
            assert!(!format!("{out}{err}").contains(PASSWORD), "{out}{err}");
        }
    }
}

#[test]
fn no_password_is_shown_of_a_variable_that_cannot_be_used() {
    let fleet = fleet("local", "");
    let mut check = command(&fleet, &["config", "check"]);
    let url = format!("amqp://user:{PASSWORD}@mq.example.net/fleet");
    check.env("GENTOO_UPDATER__BROKER", url);
    let checked = check.output().unwrap();
    let said = String::from_utf8_lossy(&checked.stderr);
    assert_eq!(checked.status.code(), Some(64), "{said}");
    assert!(said.contains("broker"), "{said}");
    assert!(!said.contains(PASSWORD), "{said}");
}
