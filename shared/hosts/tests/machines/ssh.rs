//! Commands, host keys and lost connections against a real sshd.

use std::fs;
use std::time::Duration;

use gentoo_updater_hosts::markers::run_between_markers;
use gentoo_updater_hosts::trust::{append, scan_host_keys};
use gentoo_updater_hosts::{Command, ExitStatus, HostAddress, HostError, SshSettings, connect};
use proptest::prelude::*;
use proptest::test_runner::TestRunner;

use crate::server::{KINDS, Server, generate_key, tool};

pub(crate) fn shell(script: &str) -> Command {
    Command::shell("test", script, [""; 0])
}

#[tokio::test]
async fn both_streams_the_status_and_the_signal_arrive() {
    let server = Server::start();
    let host = server.connect().await.unwrap();
    let output = host
        .run(&shell("echo out; echo err >&2; exit 3"))
        .await
        .unwrap();
    assert_eq!(output.status, ExitStatus::Code(3));
    assert_eq!(output.stdout_text(), "out\n");
    assert_eq!(output.stderr_text(), "err\n");
    let output = host.run(&shell("kill -TERM $$")).await.unwrap();
    assert_eq!(output.status, ExitStatus::Signal("TERM".to_owned()));
    let output = host
        .run(&Command::new("no-such-program-anywhere"))
        .await
        .unwrap();
    assert_eq!(output.status, ExitStatus::Code(127));
}

#[test]
fn hostile_arguments_and_variables_arrive_as_they_are() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let server = Server::start();
    let host = runtime.block_on(server.connect()).unwrap();
    let print = |words: &[String], value: &str| {
        let command = Command::shell("test", "printf '%s\\0' \"$VALUE\" \"$@\"", words.to_vec())
            .env("VALUE", value);
        let output = runtime.block_on(host.run(&command)).unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    let expect = |words: &[String], value: &str| -> String {
        std::iter::once(value)
            .chain(words.iter().map(String::as_str))
            .map(|word| format!("{word}\0"))
            .collect()
    };
    let hostile = [
        ";touch x",
        "$(touch x)",
        "`touch x`",
        "a\nb",
        "'",
        "\"",
        "\\",
        "\\'",
        "",
        " ",
        "*",
        "~",
        "-n",
        "!!",
        "&",
        "|",
        "> x",
        "#",
        "{a,b}",
        "$HOME",
        "=cat/pkg-1;touch x",
        "\t\r\x01\x7f",
        "ä€",
    ]
    .map(str::to_owned);
    for word in &hostile {
        assert_eq!(print(&hostile, word), expect(&hostile, word));
    }
    assert!(!server.path("home/x").exists());
    let words = prop::collection::vec("[^\0]{0,30}", 0..5);
    let mut runner = TestRunner::new(ProptestConfig {
        cases: 40,
        failure_persistence: None,
        ..ProptestConfig::default()
    });
    runner
        .run(&(words, "[^\0]{0,30}"), |(words, value)| {
            prop_assert_eq!(print(&words, &value), expect(&words, &value));
            Ok(())
        })
        .unwrap();
}

#[tokio::test]
async fn a_machine_that_is_known_by_any_one_of_its_keys_is_known() {
    let server = Server::start();
    for kind in KINDS {
        server.write_known_hosts(&[kind]);
        if let Err(error) = server.connect().await {
            panic!("{kind}: {error}");
        }
    }
}

#[tokio::test]
async fn an_unknown_a_changed_and_a_revoked_key_are_refused_before_anything_is_sent() {
    let server = Server::start();
    let name = server.known_hosts_name();
    let (right, wrong) = (server.host_key("ed25519"), server.path("wrong"));
    generate_key("ed25519", &wrong);
    let wrong = fs::read_to_string(wrong.with_extension("pub")).unwrap();
    let known_hosts = server.path("known_hosts");
    let error = async |text: String| {
        fs::write(&known_hosts, text).unwrap();
        let error = server.connect().await.err().unwrap();
        assert!(
            error.is_about_the_host_key() && !error.is_transient(),
            "{error}"
        );
        error
    };

    let unknown = error(String::new()).await;
    assert!(
        matches!(unknown, HostError::HostKeyUnknown { .. }),
        "{unknown}"
    );
    assert!(
        unknown.to_string().contains("gentoo-updater trust ssh://"),
        "{unknown}"
    );

    let HostError::HostKeyChanged(changed) = error(format!("# old\n{name} {wrong}")).await else {
        panic!("not changed")
    };
    assert_eq!((changed.line, &changed.file), (2, &known_hosts));
    assert_ne!(changed.known, changed.offered);

    let revoked = error(format!("{name} {right}\n@revoked * {right}\n")).await;
    assert!(matches!(revoked, HostError::HostKeyRevoked(_)), "{revoked}");

    assert!(!server.log().contains("publickey"), "{}", server.log());
}

#[tokio::test]
async fn a_known_hosts_file_that_cannot_be_read_is_an_error() {
    let server = Server::start();
    fs::remove_file(server.path("known_hosts")).unwrap();
    fs::create_dir(server.path("known_hosts")).unwrap();
    let error = server.connect().await.err().unwrap();
    assert!(
        matches!(error, HostError::KnownHostsUnreadable { .. }),
        "{error}"
    );
}

#[tokio::test]
async fn every_kind_of_identity_logs_in_and_a_stranger_does_not() {
    let server = Server::start();
    let mut settings = server.settings();
    for kind in KINDS {
        let identity = server.path(&format!("identity_{kind}"));
        generate_key(kind, &identity);
        fs::copy(
            identity.with_extension("pub"),
            server.path("authorized_keys"),
        )
        .unwrap();
        settings.identity_files = Some(vec![
            server.path("missing"),
            server.path("identity"),
            identity,
        ]);
        let address = HostAddress::Ssh(server.ssh_address());
        if let Err(error) = connect(&address, &settings).await {
            panic!("{kind}: {error}");
        }
    }
    let error = server.connect().await.err().unwrap();
    assert!(
        matches!(error, HostError::AuthenticationRefused { .. }),
        "{error}"
    );
    assert!(!error.is_transient());
}

#[tokio::test]
async fn a_lost_connection_is_no_failure_of_the_command_and_the_next_one_reconnects() {
    let server = Server::start();
    let host = server.connect().await.unwrap();
    let mark = server.path("runs");
    let script = r#"echo $$ >"$1.new"; mv "$1.new" "$1"; exec sleep 1000"#;
    let command = Command::shell("test", script, [mark.to_str().unwrap()]);
    let running = tokio::spawn({
        let host = host.clone();
        async move { host.run(&command).await }
    });
    while !mark.exists() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert!(server.cut_connections() > 0);
    let error = running.await.unwrap().unwrap_err();
    assert!(matches!(error, HostError::ConnectionLost { .. }), "{error}");
    let output = host.run(&Command::new("echo").arg("again")).await.unwrap();
    assert_eq!(output.stdout_text(), "again\n");
    // The command lives on, as sshd leaves it; it is this test's to end.
    tool("kill", &[fs::read_to_string(&mark).unwrap().trim()]);
}

#[tokio::test]
async fn a_path_that_went_dead_in_silence_is_found_and_left() {
    let server = Server::start();
    let settings = SshSettings {
        keepalive_interval: Duration::from_millis(200),
        ..server.settings()
    };
    let address = HostAddress::Ssh(server.ssh_address());
    let host = connect(&address, &settings).await.unwrap();
    assert!(
        host.run(&Command::new("true"))
            .await
            .unwrap()
            .status
            .success()
    );
    assert!(server.freeze_connections() > 0);
    // Whether the command is sent before the silence is noticed decides between an error and a
    // new connection; a second one finds the machine in any case.
    if let Err(error) = host.run(&Command::new("true")).await {
        assert!(matches!(error, HostError::ConnectionLost { .. }), "{error}");
    }
    assert!(
        host.run(&Command::new("true"))
            .await
            .unwrap()
            .status
            .success()
    );
    assert_eq!(server.log().matches("Accepted publickey").count(), 2);
}

#[tokio::test]
async fn many_commands_with_much_output_share_one_connection() {
    let server = Server::start();
    let host = server.connect().await.unwrap();
    let script = "head -c 2000000 /dev/zero; head -c 1000000 /dev/zero >&2";
    let runs = (0..24).map(|_| {
        let host = host.clone();
        tokio::spawn(async move { host.run(&shell(script)).await })
    });
    for run in runs.collect::<Vec<_>>() {
        let output = run.await.unwrap().unwrap();
        assert_eq!(
            (output.stdout.len(), output.stderr.len()),
            (2_000_000, 1_000_000)
        );
    }
    assert_eq!(server.log().matches("Accepted publickey").count(), 1);
}

#[tokio::test]
async fn a_large_input_reaches_the_command_and_an_unread_one_is_no_error() {
    let server = Server::start();
    let host = server.connect().await.unwrap();
    let input = vec![b'x'; 5_000_000];
    let output = host
        .run(&Command::new("wc").arg("-c").stdin(input.clone()))
        .await
        .unwrap();
    assert_eq!(output.stdout_text().trim(), "5000000");
    let output = host.run(&Command::new("true").stdin(input)).await.unwrap();
    assert!(output.status.success());
    let output = host.run(&Command::new("cat")).await.unwrap();
    assert!(output.status.success() && output.stdout.is_empty());
}

#[tokio::test]
async fn a_command_that_takes_too_long_is_given_up_and_the_connection_stays() {
    let server = Server::start();
    let host = server.connect().await.unwrap();
    let error = host
        .run(
            &Command::new("sleep")
                .arg("3")
                .timeout(Duration::from_millis(300)),
        )
        .await
        .unwrap_err();
    assert!(matches!(error, HostError::TimedOut { .. }), "{error}");
    assert!(
        host.run(&Command::new("true"))
            .await
            .unwrap()
            .status
            .success()
    );
    assert_eq!(server.log().matches("Accepted publickey").count(), 1);
}

#[tokio::test]
async fn too_much_output_is_an_error() {
    let server = Server::start();
    let host = server.connect().await.unwrap();
    let error = host.run(&Command::new("yes")).await.unwrap_err();
    assert!(matches!(error, HostError::OutputTooLarge { .. }), "{error}");
}

#[tokio::test]
async fn a_busy_server_that_cuts_handshakes_is_asked_again() {
    let server = Server::start_with("MaxStartups 2:100:3");
    let connections = (0..8).map(|_| server.connect());
    for connection in futures_util::future::join_all(connections).await {
        if let Err(error) = connection {
            panic!("{error}\n{}", server.log());
        }
    }
}

#[tokio::test]
async fn a_machine_that_is_off_or_silent_is_unreachable_in_time() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("ssh://{}", listener.local_addr().unwrap());
    let address: HostAddress = address.parse().unwrap();
    let settings = SshSettings {
        connect_timeout: Duration::from_millis(300),
        ..Default::default()
    };
    // The kernel completes the connection; nobody ever answers.
    let error = connect(&address, &settings).await.err().unwrap();
    assert!(error.to_string().contains("no answer within"), "{error}");
    drop(listener);
    let error = connect(&address, &settings).await.err().unwrap();
    assert!(
        matches!(error, HostError::Unreachable { .. }) && error.is_transient(),
        "{error}"
    );
    assert!(error.to_string().contains("refused"), "{error}");
}

#[tokio::test]
async fn a_scan_shows_the_keys_as_ssh_keygen_does_and_what_is_appended_is_trusted() {
    let server = Server::start();
    fs::remove_file(server.path("known_hosts")).unwrap();
    let address = server.ssh_address();
    let offered = scan_host_keys(&address, &server.settings()).await.unwrap();
    let keys = offered.keys;
    assert_eq!(keys.len(), KINDS.len());
    for (kind, key) in KINDS.iter().zip(&keys) {
        let file = server.path(&format!("host_{kind}.pub"));
        let line = tool("ssh-keygen", &["-l", "-f", file.to_str().unwrap()]);
        assert_eq!(line.split(' ').nth(1), Some(key.fingerprint().as_str()));
        append(
            &server.path("known_hosts"),
            &offered.names,
            std::slice::from_ref(key),
        )
        .unwrap();
    }
    assert!(!server.log().contains("publickey"), "{}", server.log());
    server.connect().await.unwrap();
}

#[tokio::test]
async fn what_bashrc_prints_is_not_taken_for_output() {
    let server = Server::start();
    fs::write(
        server.path("home/.bashrc"),
        "echo welcome; echo on stderr >&2\n",
    )
    .unwrap();
    let host = server.connect().await.unwrap();
    let command = Command::new("printf").arg("a\nb");
    assert!(
        host.run(&command)
            .await
            .unwrap()
            .stdout_text()
            .starts_with("welcome\n")
    );
    assert_eq!(
        run_between_markers(&*host, &command).await.unwrap().stdout,
        b"a\nb"
    );
    fs::write(server.path("home/.bashrc"), "echo go away; exit 0\n").unwrap();
    let error = run_between_markers(&*host, &command).await.unwrap_err();
    assert!(error.to_string().contains("go away"), "{error}");
}
