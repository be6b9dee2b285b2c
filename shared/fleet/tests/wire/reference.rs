//! The page of the book that lists every message, made of the enums and of the golden files.

use std::fmt::Write as _;
use std::path::Path;

const EVENTS: &str = include_str!("../../src/message/event.rs");
const COMMANDS: &str = include_str!("../../src/message/command.rs");

/// The variants of an enum with the sentences above them, in their order.
fn variants(source: &str, of: &str) -> Vec<(String, String)> {
    let body = source.split_once(&format!("pub enum {of} {{\n"));
    let body = body.and_then(|(_, rest)| rest.split_once("\n}"));
    let (body, _) = body.unwrap_or_else(|| panic!("there is no enum {of}"));
    let mut variants = Vec::new();
    let mut sentence = String::new();
    for line in body.lines().map(str::trim) {
        if let Some(words) = line.strip_prefix("///") {
            if !sentence.is_empty() {
                sentence.push(' ');
            }
            sentence.push_str(words.trim());
        } else if let Some((name, _)) = line.split_once('(') {
            variants.push((name.to_owned(), std::mem::take(&mut sentence)));
        }
    }
    variants
}

fn page() -> String {
    let mut page = "# Messages\n\n\
        Every message is one JSON object: `v`, the version of the format; `id`, which stays when a message \
        is published again; `at`, when its sender made it, by the sender's clock; `sender`; `type`, one of \
        those below; and `body`.\n\
        A field that is not known is passed over. A version or a type that is not known makes a message a \
        [dead letter](topology.md#queues).\n\n\
        Commands are imperatives and wait in queues, until a worker claims them. Events are past participles \
        and stay in the history.\n"
        .to_owned();
    for (title, source, of) in [
        ("Commands", COMMANDS, "Command"),
        ("Events", EVENTS, "Event"),
    ] {
        // Writing to a String cannot fail.
        let _ = write!(page, "\n## {title}\n");
        for (name, sentence) in variants(source, of) {
            let _ = write!(
                page,
                "\n### {name}\n\n{sentence}\n\n```json\n\
                 {{{{#include ../../shared/fleet/tests/golden/{name}.v1.json}}}}\n```\n"
            );
        }
    }
    page
}

#[test]
fn the_book_tells_of_every_message() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/reference/messages.md");
    let page = page();
    assert!(page.contains("### RunRequested\n\nSomebody wants a run."));
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, &page).unwrap();
    }
    let kept = std::fs::read_to_string(&path).unwrap();
    assert_eq!(
        kept, page,
        "docs/reference/messages.md (left) is not what the messages are; write it anew with \
         UPDATE_GOLDEN=1 cargo test -p gentoo-updater-fleet --test wire"
    );
}
