//! The program on this machine, and what is made of its answers.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;

use gentoo_updater_hosts::{HostAddress, SshSettings, connect};

use super::*;

fn check(name: &str, probe: Probe) -> Check {
    Check {
        name: name.parse().unwrap(),
        probe,
        timeout: Duration::from_secs(5),
        tries: 1,
        pause: Duration::from_millis(10),
        steady: Duration::ZERO,
    }
}

fn command(name: &str, text: &str) -> Check {
    check(name, Probe::Command(text.to_owned()))
}

async fn looked(checks: &[Check]) -> Health {
    let host = connect(&HostAddress::Local, &SshSettings::default())
        .await
        .unwrap();
    look(host.as_ref(), &"g1".parse().unwrap(), checks)
        .await
        .unwrap()
}

fn wrong<'a>(health: &'a Health, name: &str) -> Option<&'a str> {
    health[&name.parse::<CheckName>().unwrap()].as_deref()
}

/// Answers each connection with this status.
fn serve(status: u16) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let _ = stream.read(&mut [0; 1024]);
            let head = format!(
                "HTTP/1.1 {status} x\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\
                 Connection: close\r\n\r\n"
            );
            let _ = stream.write_all(head.as_bytes());
        }
    });
    port
}

fn http(name: &str, port: u16, status: u16) -> Check {
    let url = format!("http://127.0.0.1:{port}/health");
    check(name, Probe::Http { url, status })
}

#[tokio::test]
async fn commands_ports_and_pages_are_looked_at_and_what_is_wrong_is_told() {
    let (good, bad) = (serve(200), serve(503));
    let moved = serve(302);
    let closed = {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap().port()
    };
    let host = "127.0.0.1".to_owned();
    let tcp = |name, port| {
        check(
            name,
            Probe::Tcp {
                host: host.clone(),
                port,
            },
        )
    };
    let health = looked(&[
        command("true", "true"),
        command("false", "echo no disk; exit 7"),
        tcp("open", good),
        tcp("closed", closed),
        http("page", good, 200),
        http("unavailable", bad, 200),
        http("as-expected", bad, 503),
        http("moved", moved, 302),
        http("nobody", closed, 200),
    ])
    .await;
    for name in ["true", "open", "page", "as-expected", "moved"] {
        assert_eq!(wrong(&health, name), None, "{name}");
    }
    assert_eq!(wrong(&health, "false"), Some("it ended with 7: no disk"));
    assert!(wrong(&health, "closed").unwrap().contains("refused"));
    assert!(
        wrong(&health, "unavailable")
            .unwrap()
            .ends_with("has status 503")
    );
    assert!(wrong(&health, "nobody").unwrap().contains("refused"));
}

#[tokio::test]
async fn what_takes_too_long_ends_with_all_that_it_has_begun() {
    let folder = tempfile::TempDir::new().unwrap();
    let file = folder.path().join("pid");
    let text = format!("sleep 1000 & echo $! > {}; wait", file.display());
    let slow = Check {
        timeout: Duration::from_millis(500),
        ..command("slow", &text)
    };
    let health = looked(&[slow]).await;
    assert_eq!(wrong(&health, "slow"), Some("it took longer than 0.5 s"));
    let child = std::fs::read_to_string(&file).unwrap();
    let state = std::fs::read_to_string(format!("/proc/{}/stat", child.trim()));
    // Ended, or a zombie that nobody has waited for yet.
    assert!(state.is_err() || state.unwrap().contains(") Z "));
}

#[tokio::test]
async fn it_is_tried_as_often_as_it_may_and_is_well_once_it_goes_well() {
    let folder = tempfile::TempDir::new().unwrap();
    let file = folder.path().join("tries").display().to_string();
    // Well at the third try.
    let text = format!("echo x >> {file}; [ $(wc -l < {file}) -ge 3 ]");
    let tried = |tries| Check {
        tries,
        ..command("late", &text)
    };
    assert!(wrong(&looked(&[tried(2)]).await, "late").is_some());
    std::fs::remove_file(&file).unwrap();
    assert_eq!(wrong(&looked(&[tried(5)]).await, "late"), None);
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "x\nx\nx\n");
}

#[tokio::test]
async fn after_an_update_a_check_must_go_well_for_as_long_as_it_says() {
    let host = connect(&HostAddress::Local, &SshSettings::default())
        .await
        .unwrap();
    let guest = "g1".parse().unwrap();
    let folder = tempfile::TempDir::new().unwrap();
    let file = folder.path().join("looks").display().to_string();
    // Well at the first look and at the second one.
    let fails_late = Check {
        steady: Duration::from_secs(60),
        ..command(
            "late",
            &format!("echo x >> {file}; [ $(wc -l < {file}) -le 2 ]"),
        )
    };
    let health = look(&*host, &guest, std::slice::from_ref(&fails_late)).await;
    assert_eq!(wrong(&health.unwrap(), "late"), None);
    std::fs::remove_file(&file).unwrap();
    let health = look_after(&*host, &guest, &[fails_late]).await.unwrap();
    let wrong_late = wrong(&health, "late").unwrap();
    assert!(
        wrong_late.starts_with("it went well at first, and no more after")
            && wrong_late.ends_with("it ended with 1"),
        "{wrong_late}"
    );
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "x\nx\nx\n");
    let steady = Duration::from_millis(50);
    let stays_well = Check {
        steady,
        ..command("true", "true")
    };
    let begin = std::time::Instant::now();
    let health = look_after(&*host, &guest, &[stays_well]).await.unwrap();
    assert_eq!(wrong(&health, "true"), None);
    assert!(begin.elapsed() >= steady);
}

#[test]
fn only_what_was_well_before_is_blamed_on_the_update() {
    let health = |pairs: &[(&str, Option<&str>)]| -> Health {
        let pairs = pairs.iter();
        pairs
            .map(|(name, wrong)| (name.parse().unwrap(), wrong.map(str::to_owned)))
            .collect()
    };
    let before = health(&[("web", None), ("db", Some("down")), ("mail", Some("odd"))]);
    let after = health(&[("web", Some("503")), ("db", Some("down")), ("mail", None)]);
    let failure = broken(&before, &after).unwrap();
    assert_eq!(failure.cause, HEALTH_CHECK_FAILED);
    assert_eq!(
        failure.message,
        "after the update these checks fail: web (503)"
    );
    let told: Vec<String> = broken_before(&before, &after)
        .into_iter()
        .map(|it| it.text)
        .collect();
    assert_eq!(
        told,
        [
            "the check db failed before the update already, so it tells nothing of this update: down",
            "the check mail failed before the update already, and goes well after it: odd",
        ]
    );
    assert_eq!(broken(&before, &before), None);
}
