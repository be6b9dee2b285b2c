//! What `config check` says of what can never work, and of what is missing on this machine.

use tempfile::TempDir;

use crate::program::run;

const SECRET: &str = "hunter2hunter2";

/// What it says of a fleet with one more text in its configuration; `HERE` in it is its folder.
fn checked(more: &str) -> (Option<i32>, String) {
    let folder = TempDir::new().unwrap();
    let here = folder.path().to_str().unwrap();
    std::fs::write(folder.path().join("short"), SECRET).unwrap();
    std::fs::write(folder.path().join("whsec"), format!("whsec_{SECRET}!")).unwrap();
    std::fs::write(folder.path().join("url"), format!("https://x/{SECRET} b")).unwrap();
    let text = format!(
        "state_directory = \"HERE/state\"\n[builders.b1]\naddress = \"local\"\n[guests.g1]\naddress = \
         \"local\"\n{more}\n"
    );
    let text = text.replace("HERE", here).replace("SECRET", SECRET);
    std::fs::write(folder.path().join("fleet.toml"), text).unwrap();
    let (code, out, err) = run(&folder, &["config", "check"]);
    let said = format!("{out}{err}");
    assert!(!said.contains(SECRET), "{said}");
    (code, said)
}

fn webhook(keys: &str) -> String {
    format!("[notifications.chat]\ntype = \"webhook\"\n{keys}\n")
}

#[test]
fn addresses_where_nobody_can_ever_be_told_are_refused_without_their_secrets() {
    for (more, words) in [
        (
            webhook("url = \"https://chat.example.net/SECRET SECRET\""),
            "notifications.chat: its address is no URI",
        ),
        (
            webhook("url = \"http://user:SECRET@chat.example.net/hook\""),
            "notifications.chat: its address names a user",
        ),
        (
            webhook("url = \"https:///SECRET\""),
            "notifications.chat: its address",
        ),
        (
            "[broker]\nurl = \"amqp://user:SECRET@mq:5672x/fleet\"".to_owned(),
            "`broker.url` cannot be understood",
        ),
    ] {
        let (code, said) = checked(&more);
        assert_eq!(code, Some(64), "{more}: {said}");
        assert!(said.contains(words), "{more}: {said}");
    }
}

#[test]
fn what_a_notification_lacks_on_this_machine_is_told_without_its_secrets() {
    let url = "url = \"https://chat.example.net/hook\"\n";
    for (more, words) in [
        (
            webhook(&format!("{url}secret_file = \"HERE/none\"")),
            "none cannot be read: No such file",
        ),
        (
            webhook(&format!("{url}secret_file = \"HERE/short\"")),
            "short: the secret of the webhook has less than 16 bytes",
        ),
        (
            webhook(&format!("{url}secret_file = \"HERE/whsec\"")),
            "whsec: the secret of the webhook begins with whsec_",
        ),
        (
            webhook("url_file = \"HERE/url\""),
            "url: its address is no URI",
        ),
        (
            webhook(&format!("{url}ca = \"HERE/none\"")),
            "ca ",
        ),
        (
            "[notifications.chat]\ntype = \"mail\"\nserver = \"mx.example.net\"\nuser = \
             \"fleet\"\npassword_file = \"HERE/none\"\nfrom = \"a@example.net\"\nto = [\"b@example.net\"]"
                .to_owned(),
            "none cannot be read: No such file",
        ),
        (
            "[notifications.chat]\ntype = \"command\"\ncommand = [\"HERE/short\"]".to_owned(),
            "short cannot be started: Permission denied",
        ),
    ] {
        let (code, said) = checked(&more);
        assert_eq!(code, Some(0), "{more}: {said}");
        let mut lines = said.lines();
        let doubt = lines.find(|line| line.starts_with("  ! notification chat: "));
        assert!(doubt.is_some_and(|it| it.contains(words)), "{more}: {said}");
    }
    let (_, said) = checked("[notifications.chat]\ntype = \"command\"\ncommand = [\"/bin/true\"]");
    assert!(!said.contains("  !"), "{said}");
}

#[test]
fn schedules_whose_windows_never_meet_them_are_told() {
    let schedules = [
        ("a", "0 3 * * *", "12:00-13:00", 60, false),
        ("b", "0 3 * * *", "12:00-13:00", 600, true),
        ("c", "0 12 * * SUN", "Mon 12:00-13:00", 60, false),
        // It is long until then.
        ("d", "* * * * *", "Sun 12:00-13:00", 0, true),
        ("e", "30 11 1 1 *", "12:00-13:00", 0, false),
        ("f", "30 11 1 1 *", "12:00-13:00", 30, true),
    ];
    let text = schedules.map(|(name, calendar, window, late, _)| {
        format!(
            "[schedules.{name}]\ncalendar = {calendar:?}\nwindows = [{window:?}]\nlate_minutes = {late}\n"
        )
    });
    let (code, said) = checked(&text.concat());
    assert_eq!(code, Some(0), "{said}");
    for (name, .., meets) in schedules {
        let doubt = format!("  ! schedule {name}: no run of it will ever begin");
        assert_eq!(said.contains(&doubt), !meets, "{name}: {said}");
    }
}
