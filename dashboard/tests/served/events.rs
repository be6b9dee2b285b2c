//! What happens, as it is told to who watches.

use super::pages::until;
use super::support::Served;

fn offset_of(text: &str) -> u64 {
    let id = text.rsplit("id: ").next().unwrap();
    id.split('\n').next().unwrap().parse().unwrap()
}

#[tokio::test]
async fn a_change_is_told_with_its_offset_and_who_comes_again_gets_what_was_missed() {
    let served = Served::read_only().await;
    let mut watching = served.watch("/events", "").await;
    watching.until("retry: 1000").await;
    served.request().await;
    let text = watching.until("\"Scanning\"").await.to_owned();
    assert!(text.contains("content-type: text/event-stream"), "{text}");
    assert!(text.contains("event: change\n"), "{text}");
    let first = offset_of(&text);
    drop(watching);

    served.request().await;
    let is_told = |offset: u64| {
        move |answer: &super::support::Answer| answer.json()["offset"].as_u64() > Some(offset)
    };
    until(&served, "/api/fleet", is_told(first)).await;
    // The browser says what it has seen last.
    let mut again = served
        .watch("/events", &format!("Last-Event-ID: {first}\r\n"))
        .await;
    let text = again.until("event: change\n").await;
    assert!(offset_of(text) > first, "{text}");
    served.end().await;
}

#[tokio::test]
async fn who_knows_another_history_is_told_to_load_all_documents_again() {
    let served = Served::read_only().await;
    served.request().await;
    // What the browser has seen last counts, and not what the page began with.
    let known = "Last-Event-ID: 999999\r\n";
    let mut watching = served.watch("/events?after=0", known).await;
    watching.until("event: reload\n").await;
    served.end().await;
}

#[tokio::test]
async fn watchers_are_let_go_when_the_server_stops() {
    let served = Served::read_only().await;
    let mut watching = served.watch("/events", "").await;
    watching.until("retry").await;
    let (_, ()) = tokio::join!(watching.rest(), served.end());
}
