//! The page of the book that says what there is on a broker, made of `topology` and `permissions`.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;

use gentoo_updater_bus::permissions::{Permissions, users};
use gentoo_updater_bus::topology::{Argument, EVENTS, ExchangeKind, Topology};
use gentoo_updater_fleet::authority::Users;

/// A fleet with one of each.
fn topology() -> Topology {
    Topology {
        guests: BTreeSet::from(["web".parse().unwrap()]),
        builders: BTreeSet::from(["fast".parse().unwrap()]),
        platforms: BTreeSet::from(["amd64".parse().unwrap()]),
        ..Topology::default()
    }
}

/// A cell of a table; a pipe would end it.
fn code(text: &str) -> String {
    match text {
        "" => String::new(),
        text => format!("`{}`", text.replace('|', r"\|")),
    }
}

fn page() -> String {
    let topology = topology();
    let mut page = "# Topology on the broker\n\n\
        Of a fleet with the guest `web`, the builder `fast` and the platform `amd64`. Every guest, builder \
        and platform has queues of its own.\n\
        All of it is durable, and declared by whoever comes first. `gentoo-updater queue list` shows how full \
        the queues are, and `gentoo-updater broker permissions` what the users of your fleet may do.\n\n\
        ## Exchanges\n\n| exchange | type |\n|---|---|\n"
        .to_owned();
    for (name, kind) in topology.exchanges() {
        let kind = match kind {
            ExchangeKind::Topic => "topic",
            ExchangeKind::Direct => "direct",
            ExchangeKind::Fanout => "fanout",
        };
        // Writing to a String cannot fail.
        let _ = writeln!(page, "| `{name}` | {kind} |");
    }
    page.push_str("\n## Queues\n\n| queue | bound to | arguments |\n|---|---|---|\n");
    for queue in topology.queues() {
        let bindings = queue
            .bindings
            .iter()
            .map(|(exchange, key)| match key.as_str() {
                "" => code(exchange),
                key => format!("{} {}", code(exchange), code(key)),
            });
        let arguments = queue.arguments.iter().map(|(name, value)| {
            let value = match value {
                Argument::Text(text) => text.clone(),
                Argument::Number(number) => number.to_string(),
                Argument::Flag(flag) => flag.to_string(),
            };
            code(&format!("{name}={value}"))
        });
        let _ = writeln!(
            page,
            "| `{}` | {} | {} |",
            queue.name,
            bindings.collect::<Vec<_>>().join(", "),
            arguments.collect::<Vec<_>>().join(" ")
        );
    }
    let _ = write!(
        page,
        "\n## Permissions\n\n\
         With `access = \"separate\"` each role and each guest has a user of its own. What it may configure, \
         write and read are regular expressions over the names of queues and exchanges; the last two columns \
         are over the routing keys of `{EVENTS}` \
         ([access control of RabbitMQ](https://www.rabbitmq.com/docs/access-control)).\n\n\
         | user | configure | write | read | publishes | binds |\n|---|---|---|---|---|---|\n"
    );
    let names = Users::new("gentoo-updater");
    for user in users(&topology.guests) {
        let may = Permissions::of(user);
        let _ = writeln!(
            page,
            "| `{}` | {} | {} | {} | {} | {} |",
            names.name_of(&may.user),
            code(&may.configure),
            code(&may.write),
            code(&may.read),
            code(&may.topic_write),
            code(&may.topic_read)
        );
    }
    page
}

#[test]
fn the_book_says_what_there_is_on_a_broker() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/reference/topology.md");
    let page = page();
    assert!(page.contains("| `install.web` |"), "{page}");
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, &page).unwrap();
    }
    let kept = std::fs::read_to_string(&path).unwrap();
    assert_eq!(
        kept, page,
        "docs/reference/topology.md (left) is not what is declared; write it anew with \
         UPDATE_GOLDEN=1 cargo test -p gentoo-updater-bus --test reference"
    );
}
