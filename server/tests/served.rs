//! A server with real sockets, asked as clients ask, and as no client should.

#![allow(clippy::unwrap_used, clippy::panic)]

#[allow(dead_code)]
mod support;

use std::time::Duration;

use gentoo_updater_server::Limits;
use support::{Served, head_of, status_of};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const BINARY: &str = "/amd64/app-misc/hello/hello-2.0-3.gpkg.tar";

#[tokio::test]
async fn files_are_given_whole_in_parts_and_not_again() {
    let served = Served::plain().await;
    let whole = served.get(BINARY, "").await;
    assert_eq!(status_of(&whole), 200, "{whole}");
    assert!(whole.ends_with("\r\n\r\n0123456789"), "{whole}");
    for header in [
        "content-length: 10",
        "accept-ranges: bytes",
        "last-modified: ",
        "etag: \"",
        "x-content-type-options: nosniff",
    ] {
        assert!(head_of(&whole).contains(header), "{header}: {whole}");
    }
    let field = |name: &str| {
        let mut lines = head_of(&whole).lines();
        let line = lines.find_map(|line| line.strip_prefix(name));
        line.unwrap().trim().to_owned()
    };
    let (tag, modified) = (field("etag:"), field("last-modified:"));

    let part = served.get(BINARY, "Range: bytes=3-\r\n").await;
    assert_eq!(status_of(&part), 206);
    assert!(
        head_of(&part).contains("content-range: bytes 3-9/10"),
        "{part}"
    );
    assert!(head_of(&part).contains("content-length: 7"), "{part}");
    assert!(part.ends_with("\r\n\r\n3456789"), "{part}");
    let other = served
        .get(BINARY, "Range: bytes=3-\r\nIf-Range: \"other\"\r\n")
        .await;
    assert_eq!(status_of(&other), 200);
    let same = format!("Range: bytes=3-\r\nIf-Range: {tag}\r\n");
    assert_eq!(status_of(&served.get(BINARY, &same).await), 206);
    let beyond = served.get(BINARY, "Range: bytes=10-\r\n").await;
    assert_eq!(status_of(&beyond), 416);
    assert!(
        head_of(&beyond).contains("content-range: bytes */10"),
        "{beyond}"
    );

    for known in [
        format!("If-None-Match: {tag}\r\n"),
        format!("If-Modified-Since: {modified}\r\n"),
    ] {
        let answer = served.get(BINARY, &known).await;
        assert_eq!(status_of(&answer), 304, "{known}");
        assert!(answer.ends_with("\r\n\r\n"), "{answer}");
    }

    let head = served.ask("HEAD", BINARY, "").await;
    assert_eq!(status_of(&head), 200);
    assert!(head_of(&head).contains("content-length: 10"), "{head}");
    assert!(head.ends_with("\r\n\r\n"), "{head}");
    for method in ["POST", "PUT", "DELETE", "OPTIONS", "PATCH", "MKCOL"] {
        let answer = served.ask(method, BINARY, "").await;
        assert_eq!(status_of(&answer), 405, "{method}: {answer}");
        assert!(answer.contains("allow: GET, HEAD"), "{method}: {answer}");
    }
    assert_eq!(status_of(&served.get("/health", "").await), 200);
    assert_eq!(status_of(&served.ask("POST", "/health", "").await), 405);
    served.end().await;
}

#[tokio::test]
async fn nothing_is_given_that_is_no_index_and_no_binary_of_a_store() {
    let served = Served::plain().await;
    for path in [
        "/",
        "/amd64",
        "/amd64/",
        "/amd64/app-misc/",
        "/amd64/app-misc/hello",
        "/arm64/Packages",
        "/amd64/../secret.xpak",
        "/amd64/app-misc/../../secret.xpak",
        "/amd64/%2e%2e/secret.xpak",
        "/amd64/..%2fsecret.xpak",
        "/amd64/%2e%2e%2fsecret.xpak",
        "/amd64/..%5csecret.xpak",
        "/amd64//secret.xpak",
        "/../secret.xpak",
        "//secret.xpak",
        "/amd64/secret.xpak%00.xpak",
        "/amd64/linked.xpak",
        "/amd64/out/secret.xpak",
        "/amd64/.gentoo-updater/keys/key.json",
        "/amd64/.gentoo-updater/incoming/half.xpak",
        "/amd64/.hidden.xpak",
        "/amd64/app-misc/hello/hello-2.0-3.gpkg.tar._checksum_failure_.x",
    ] {
        let answer = served.get(path, "").await;
        assert_eq!(status_of(&answer), 404, "{path}: {answer}");
        assert!(!answer.contains("secret"), "{path}: {answer}");
    }
    // What no client sends.
    for request in [
        "GET /amd64/..\\secret.xpak HTTP/1.1\r\nHost: s\r\nConnection: close\r\n\r\n",
        "GET ../secret.xpak HTTP/1.1\r\nHost: s\r\nConnection: close\r\n\r\n",
        "GET http://s/amd64/../secret.xpak HTTP/1.1\r\nHost: s\r\nConnection: close\r\n\r\n",
        "GET /amd64/\0secret.xpak HTTP/1.1\r\nHost: s\r\nConnection: close\r\n\r\n",
        "GET /amd64/Packages HTTP/1.1\r\nHost: s\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\
         Transfer-Encoding: x\r\n\r\n",
        "\x16\x03\x01 nonsense\r\n\r\n",
    ] {
        let answer = served.raw(request.as_bytes()).await;
        let is_refused = answer.is_empty() || [400, 404].contains(&status_of(&answer));
        assert!(
            is_refused && !answer.contains("secret"),
            "{request:?}: {answer}"
        );
    }
    assert_eq!(status_of(&served.get("/amd64/Packages", "").await), 200);
    served.end().await;
}

/// Large enough that no buffer on the way holds it.
const LARGE: usize = 64 * 1024 * 1024;

#[tokio::test]
async fn an_index_that_is_replaced_while_it_is_read_is_the_old_one_to_its_end() {
    let served = Served::plain().await;
    let index = served.store().join("Packages");
    std::fs::write(&index, vec![b'o'; LARGE]).unwrap();
    let mut stream = served.connect().await;
    let request = "GET /amd64/Packages HTTP/1.1\r\nHost: s\r\nConnection: close\r\n\r\n";
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut first = [0; 4096];
    stream.read_exact(&mut first).await.unwrap();
    let new = served.store().join("new");
    std::fs::write(&new, "new").unwrap();
    std::fs::rename(&new, &index).unwrap();
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest).await.unwrap();
    let old = rest.iter().filter(|byte| **byte == b'o').count();
    assert!(
        old > LARGE - 4096 && !rest.ends_with(b"new"),
        "{old} bytes of the old one"
    );
    assert!(served.get("/amd64/Packages", "").await.ends_with("new"));
    served.end().await;
}

#[tokio::test]
async fn a_client_that_sends_or_takes_nothing_is_let_go_and_others_are_served() {
    let short = Duration::from_millis(300);
    let limits = Limits {
        connections: 1,
        head: short,
        idle: short,
        ..Limits::default()
    };
    let served = Served::with(limits).await;
    // A head that comes byte by byte, and never ends.
    let mut slow = served.connect().await;
    let dripping = async {
        loop {
            if slow.write_all(b"G").await.is_err() {
                return;
            }
            tokio::time::sleep(short / 20).await;
        }
    };
    let limit = Duration::from_secs(20);
    tokio::time::timeout(limit, dripping)
        .await
        .expect("the slow head is cut off");

    std::fs::write(served.store().join("Packages"), vec![b'o'; LARGE]).unwrap();
    // It asks, and reads nothing.
    let mut deaf = served.connect().await;
    let request = "GET /amd64/Packages HTTP/1.1\r\nHost: s\r\n\r\n";
    deaf.write_all(request.as_bytes()).await.unwrap();
    // The only place is taken until it is let go.
    let asked = tokio::time::timeout(limit, served.get("/health", "")).await;
    assert_eq!(status_of(&asked.expect("the place becomes free")), 200);
    let mut taken = Vec::new();
    // Closed with what it did not take: an end, or a reset.
    let _ = deaf.read_to_end(&mut taken).await;
    assert!(taken.len() < LARGE, "{} bytes", taken.len());
    served.end().await;
}

#[tokio::test]
async fn an_address_with_too_many_connections_is_told_to_come_again() {
    let limits = Limits {
        of_one_address: Some(1),
        spares_loopback: false,
        ..Limits::default()
    };
    let served = Served::with(limits.clone()).await;
    let mut held = served.connect().await;
    held.write_all(b"GET /health HTTP/1.1\r\nHost: s\r\n\r\n")
        .await
        .unwrap();
    held.read_exact(&mut [0; 12]).await.unwrap();
    let refused = served.raw(b"GET /health HTTP/1.1\r\nHost: s\r\n\r\n").await;
    assert!(refused.starts_with("HTTP/1.1 503 "), "{refused}");
    assert!(refused.contains("\r\nRetry-After: 2\r\n"), "{refused}");
    drop(held);
    let again = async {
        while !served.get("/health", "").await.starts_with("HTTP/1.1 200") {
            tokio::task::yield_now().await;
        }
    };
    let limit = Duration::from_secs(20);
    tokio::time::timeout(limit, again)
        .await
        .expect("its place is free again");
    served.end().await;
}

#[tokio::test]
async fn a_proxy_on_this_machine_has_as_many_connections_as_there_are() {
    let limits = Limits {
        of_one_address: Some(1),
        ..Limits::default()
    };
    let served = Served::with(limits).await;
    let _held = [served.connect().await, served.connect().await];
    let answer = served.get("/health", "").await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    served.end().await;
}

#[tokio::test]
async fn what_is_begun_when_it_is_told_to_stop_is_brought_to_its_end() {
    let served = Served::plain().await;
    std::fs::write(served.store().join("Packages"), vec![b'o'; LARGE]).unwrap();
    let mut stream = served.connect().await;
    let request = "GET /amd64/Packages HTTP/1.1\r\nHost: s\r\n\r\n";
    stream.write_all(request.as_bytes()).await.unwrap();
    stream.read_exact(&mut [0; 4096]).await.unwrap();
    let idle = served.connect().await;
    served.stop();
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest).await.unwrap();
    let got = rest.iter().filter(|byte| **byte == b'o').count();
    assert!(got > LARGE - 4096, "{got}");
    drop(idle);
    served.end().await;
}

#[tokio::test]
async fn a_client_that_takes_slowly_and_steadily_gets_all_of_it() {
    let idle = Duration::from_millis(400);
    let limits = Limits {
        idle,
        ..Limits::default()
    };
    let served = Served::with(limits).await;
    std::fs::write(served.store().join("Packages"), vec![b'o'; LARGE]).unwrap();
    let mut stream = served.connect().await;
    let request = "GET /amd64/Packages HTTP/1.1\r\nHost: s\r\nConnection: close\r\n\r\n";
    stream.write_all(request.as_bytes()).await.unwrap();
    let (mut got, mut buffer) = (0, vec![0; LARGE / 16]);
    let began = std::time::Instant::now();
    loop {
        let mut part = stream.take(buffer.len() as u64);
        buffer.clear();
        part.read_to_end(&mut buffer).await.unwrap();
        stream = part.into_inner();
        if buffer.is_empty() {
            break;
        }
        got += buffer.len();
        buffer.resize(LARGE / 16, 0);
        // This is how slow it is.
        tokio::time::sleep(idle / 4).await;
    }
    assert!(got > LARGE, "{got} bytes");
    assert!(
        began.elapsed() > idle * 3,
        "it takes longer than idle ones are kept"
    );
    served.end().await;
}
