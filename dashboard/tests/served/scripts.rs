//! The scripts of the pages, in the browser for which they are made.

use std::net::SocketAddr;

use gentoo_updater_test_browser::Browser;
use serde_json::{Value, json};
use tokio::task::spawn_blocking;

use super::support::Served;

/// Does something with a page in a browser.
pub(crate) async fn look<T: Send + 'static>(
    address: SocketAddr,
    path: &str,
    look: impl FnOnce(&mut Browser) -> T + Send + 'static,
) -> T {
    let page = format!("http://{address}{path}");
    let looked = spawn_blocking(move || {
        let mut browser = Browser::start(None);
        browser.open(&page);
        look(&mut browser)
    });
    looked.await.unwrap()
}

/// What is to be read of a log that comes in these parts.
const READ: &str = "(async (logs) => {
    const { terminal } = await import('/assets/terminal.js');
    return logs.map((parts) => {
        const take = terminal();
        let said = '', last = '';
        for (const part of parts) {
            const [more, unfinished] = take(part);
            said += more;
            last = unfinished;
        }
        return said + last;
    });
})";

async fn read(served: &Served, logs: Vec<Vec<String>>) -> Vec<String> {
    let expression = format!("{READ}({})", json!(logs));
    let told = look(served.address, "/", move |browser| {
        browser.evaluate(&expression)
    });
    serde_json::from_value(told.await).unwrap()
}

#[tokio::test]
async fn a_log_is_shown_as_a_terminal_would_leave_it() {
    let served = Served::read_only().await;
    let shown = [
        ("plain\n", "plain\n"),
        ("\u{1b}[32mgreen\u{1b}[0m", "green"),
        ("\u{1b}]0;title\u{7}text", "text"),
        ("\u{1b}]8;;http://x\u{1b}\\link\u{1b}]8;;\u{1b}\\", "link"),
        ("\u{1b}(B\u{1b}[mreset", "reset"),
        ("10%\r20%\r30%\n", "30%\n"),
        ("10%\r20%\r", "20%"),
        ("dos\r\n", "dos\n"),
        ("\r\r\r\n", "\n"),
        ("tab\tbell\u{7}\u{0}", "tab\tbell"),
        // What begins a sequence and does not end it in its line takes nothing else away.
        ("\u{1b}]0;title\nnext\n", "0;title\nnext\n"),
    ];
    let parts = shown.map(|(log, _)| vec![log.to_owned()]);
    let read = read(&served, parts.into()).await;
    for ((log, wanted), read) in shown.iter().zip(read) {
        assert_eq!(&read, wanted, "{log:?}");
    }
    served.end().await;
}

#[tokio::test]
async fn a_log_is_shown_the_same_wherever_its_parts_are_cut() {
    let served = Served::read_only().await;
    let log =
        "ok \u{1b}[32mgreen\u{1b}[0m\r\n\u{1b}]0;title\u{1b}\\10%\r20%\r30%\nunfinished\u{1b}(B";
    let all = "ok green\n30%\nunfinished";
    let mut cut = Vec::new();
    for first in 0..=log.len() {
        for second in first..=log.len() {
            let parts = [&log[..first], &log[first..second], &log[second..]];
            cut.push(parts.map(str::to_owned).to_vec());
        }
    }
    for (parts, read) in cut.iter().zip(read(&served, cut.clone()).await) {
        assert_eq!(read, all, "{parts:?}");
    }
    served.end().await;
}

#[tokio::test]
async fn a_line_that_does_not_end_is_read_on() {
    let served = Served::read_only().await;
    let long = "x".repeat(65536);
    let logs = vec![
        vec![
            long.clone(),
            long.clone(),
            format!("{long}\u{1b}[3"),
            "2mend".to_owned(),
        ],
        vec![format!("\u{1b}]{long}"), "end".to_owned()],
        vec!["1%".to_owned(), "\r2%".repeat(40_000), "\r3%".to_owned()],
        // Of these the time would grow with their square, for who looked at each place anew.
        vec!["\r".repeat(65536), format!("{}x", "\r".repeat(65536))],
        vec!["\u{1b}]".repeat(32768), "\u{1b}[".repeat(32768)],
    ];
    let read = read(&served, logs).await;
    assert_eq!(read[0], format!("{long}{long}{long}end"));
    assert_eq!(read[1], format!("{long}end"));
    assert_eq!(read[2], "3%");
    assert_eq!(read[3], "x");
    served.end().await;
}

/// A server that has such a log: what the page asks for comes from here.
const LOG: &str = "(async (parts) => {
    const own = window.fetch;
    let asked = 0;
    window.fetch = async (address, ...more) => {
        if (!String(address).includes('/log?')) return own(address, ...more);
        const text = parts[asked++];
        const running = asked < parts.length;
        const piece = { place: 'b1:/x', running, from: 0, next: asked, size: asked, text, why: null };
        return new Response(JSON.stringify(piece));
    };
    const { log } = await import('/assets/log.js');
    document.querySelector('main').replaceChildren(log('run', 'job', null, new AbortController().signal));
})";

#[tokio::test]
async fn the_last_line_of_a_log_is_shown_before_it_ends_and_what_follows_takes_its_place() {
    let served = Served::read_only().await;
    let parts: [Value; 2] = [
        json!("* first \u{1b}[32mline\n10%\r20%\u{1b}[3"),
        json!("2m\r30%\nend"),
    ];
    let script = format!("{LOG}({})", json!(parts));
    look(served.address, "/", move |browser| {
        browser.evaluate(&script);
        browser.until("document.querySelector('.log').textContent === '* first line\\n20%'");
        browser.until("document.querySelector('.log').textContent === '* first line\\n30%\\nend'");
    })
    .await;
    served.end().await;
}
