//! What is read of messages that another version wrote, and what is refused.

use super::*;

#[test]
fn fields_that_a_newer_program_adds_are_passed_over() {
    let mut value = serde_json::to_value(envelope(events().remove(0))).unwrap();
    value["colour"] = "red".into();
    value["body"]["colour"] = "red".into();
    Envelope::<Event>::decode(value.to_string().as_bytes()).unwrap();
}

#[test]
fn a_sign_of_life_of_an_older_worker_is_read() {
    let alive = |body: &str| {
        let text = format!(
            r#"{{"v":1,"id":"{}","at":"1970-01-01T00:00:00Z","sender":"builder@b1",
                "type":"WorkerAlive","body":{body}}}"#,
            Uuid::nil()
        );
        match Envelope::<Event>::decode(text.as_bytes()).unwrap().message {
            Event::WorkerAlive(alive) => alive,
            other => panic!("{}", other.kind()),
        }
    };
    let work = serde_json::to_string(&work()).unwrap();
    let old = alive(&format!(
        r#"{{"worker":"builder@b1","role":"builder","working_on":[{work}]}}"#
    ));
    assert_eq!(old.working_on[0].work, self::work());
    assert_eq!((old.working_on[0].since, old.slots), (None, None));
    // And an older worker reads what this one says: all that is new stands beside what it knows.
    let new = serde_json::to_value(Ongoing {
        work: self::work(),
        since: Some(Timestamp::UNIX_EPOCH),
    });
    assert_eq!(
        serde_json::from_value::<WorkKey>(new.unwrap()).unwrap(),
        self::work()
    );
}

#[test]
fn an_unknown_version_and_an_unknown_type_are_refused() {
    let mut value = serde_json::to_value(envelope(events().remove(0))).unwrap();
    value["v"] = 2.into();
    let error = Envelope::<Event>::decode(value.to_string().as_bytes()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the message has version 2, this program reads version 1"
    );
    value["v"] = 1.into();
    value["type"] = "FleetDeleted".into();
    Envelope::<Event>::decode(value.to_string().as_bytes()).unwrap_err();
}

#[test]
fn a_package_that_is_no_package_is_refused_with_its_name() {
    let event = Event::GuestScanned(scanned("g1", vec![update("cat/pkg-1")], vec![]));
    let text = serde_json::to_string(&envelope(event)).unwrap();
    let hostile = text.replace("\"cat/pkg-1\"", "\"cat/pkg-1;touch x\"");
    assert_ne!(text, hostile);
    let error = Envelope::<Event>::decode(hostile.as_bytes())
        .unwrap_err()
        .to_string();
    assert!(error.contains("cat/pkg-1;touch x"), "{error}");
}

#[test]
fn what_findings_and_binaries_say_beyond_the_first_version_is_optional() {
    let old = serde_json::json!({"kind": "ConfigurationPending", "text": "/etc/a waits"});
    let old: Finding = serde_json::from_value(old).unwrap();
    assert_eq!((old.subject, old.details), (None, vec![]));
    let new = Finding::new(FindingKind::ConfigurationPending, "/etc/a waits")
        .about("/etc/a")
        .with_details(vec!["-listen = 1".to_owned()]);
    let text = serde_json::to_string(&new).unwrap();
    assert_eq!(serde_json::from_str::<Finding>(&text).unwrap(), new);
    let mut known = binary(&key().key, 1);
    let plain = serde_json::to_value(&known).unwrap();
    assert!(plain.get("contents").is_none(), "{plain}");
    assert_eq!(serde_json::from_value::<Binary>(plain).unwrap(), known);
    known.contents.sizes.insert("usr".to_owned(), 1000);
    known.contents.needs = [("libc.so.6".to_owned(), ["GLIBC_2.34".to_owned()].into())].into();
    let text = serde_json::to_string(&known).unwrap();
    assert_eq!(serde_json::from_str::<Binary>(&text).unwrap(), known);
}
