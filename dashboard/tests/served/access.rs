//! Who may read, and who may change something.

use super::support::{Served, TOKEN};

const RETRY: &str = r#"{"letters":["0123456789ab"]}"#;

fn login(token: &str) -> String {
    serde_json::json!({ "token": token }).to_string()
}

#[tokio::test]
async fn under_a_foreign_name_nothing_is_answered() {
    let served = Served::read_only().await;
    for host in ["evil.example", "localhost.evil.example", ""] {
        let answer = served
            .ask_by("GET", "/api/fleet", &format!("Host: {host}\r\n"), "")
            .await;
        assert_eq!(answer.status(), 421, "{host}");
        assert!(answer.json()["error"].as_str().unwrap().contains("--name"));
    }
    for host in ["localhost:1", "fleet.example.org", "[::1]:80"] {
        let answer = served
            .ask_by("GET", "/api/fleet", &format!("Host: {host}\r\n"), "")
            .await;
        assert_eq!(answer.status(), 200, "{host}");
    }
    served.end().await;
}

#[tokio::test]
async fn without_a_token_it_only_shows() {
    let served = Served::read_only().await;
    let session = served.get("/api/session").await;
    assert_eq!(session.json()["writable"], false);
    let page = session.page(served.address);
    for (path, body) in [
        ("/api/login", login("")),
        ("/api/dead/retry", RETRY.to_owned()),
    ] {
        let answer = served.ask("POST", path, &page, &body).await;
        assert_eq!(answer.status(), 403, "{path}");
        assert!(
            answer.json()["error"]
                .as_str()
                .unwrap()
                .contains("--token-file")
        );
    }
    for method in ["PUT", "DELETE", "PATCH"] {
        assert_eq!(
            served
                .ask(method, "/api/dead/retry", &page, RETRY)
                .await
                .status(),
            405
        );
    }
    assert!(served.put_back().is_empty());
    served.end().await;
}

#[tokio::test]
async fn who_shows_the_token_puts_letters_back_until_the_logout() {
    let served = Served::with(true).await;
    let session = served.get("/api/session").await;
    assert_eq!(session.json()["logged_in"], false);
    let visitor = session.page(served.address);
    assert_eq!(
        served
            .ask("POST", "/api/dead/retry", &visitor, RETRY)
            .await
            .status(),
        401
    );
    let wrong = served
        .ask(
            "POST",
            "/api/login",
            &visitor,
            &login("another token, as long"),
        )
        .await;
    assert_eq!(wrong.status(), 403);

    let session = served
        .ask("POST", "/api/login", &visitor, &login(TOKEN))
        .await;
    assert_eq!(session.status(), 200, "{}", session.0);
    let cookie = session.header("set-cookie").unwrap();
    for part in ["HttpOnly", "SameSite=Strict", "Path=/"] {
        assert!(cookie.contains(part), "{cookie}");
    }
    let page = session.page(served.address);
    let done = served.ask("POST", "/api/dead/retry", &page, RETRY).await;
    assert_eq!(done.status(), 200, "{}", done.0);
    assert_eq!(served.put_back(), ["0123456789ab"]);

    assert_eq!(
        served
            .ask("POST", "/api/logout", &page, "{}")
            .await
            .status(),
        200
    );
    assert_eq!(
        served
            .ask("POST", "/api/dead/retry", &page, RETRY)
            .await
            .status(),
        401
    );
    assert_eq!(served.put_back().len(), 1);
    served.end().await;
}

#[tokio::test]
async fn what_a_page_of_somebody_else_makes_a_browser_send_changes_nothing() {
    let served = Served::with(true).await;
    let visitor = served.get("/api/session").await.page(served.address);
    let session = served
        .ask("POST", "/api/login", &visitor, &login(TOKEN))
        .await;
    let page = session.page(served.address);
    let without = |name: &str| {
        let lines = page.lines().filter(|line| !line.starts_with(name));
        lines.map(|line| format!("{line}\r\n")).collect::<String>()
    };
    let foreign = [
        without("X-CSRF-Token"),
        without("Origin"),
        without("Cookie"),
        format!("{}Origin: http://evil.example\r\n", without("Origin")),
        format!("{}Origin: null\r\n", without("Origin")),
        format!(
            "{}X-CSRF-Token: {}\r\n",
            without("X-CSRF-Token"),
            "0".repeat(64)
        ),
    ];
    for headers in foreign {
        let answer = served.ask("POST", "/api/dead/retry", &headers, RETRY).await;
        assert_eq!(answer.status(), 403, "{headers}");
    }
    // Nor does a form, which cannot send JSON.
    let form = page.replace("application/json", "text/plain");
    assert_eq!(
        served
            .ask("POST", "/api/dead/retry", &form, RETRY)
            .await
            .status(),
        415
    );
    assert!(served.put_back().is_empty());
    served.end().await;
}

#[tokio::test]
async fn who_tries_tokens_has_to_wait_and_who_has_the_right_one_has_not() {
    let served = Served::with(true).await;
    let page = served.get("/api/session").await.page(served.address);
    let mut statuses = Vec::new();
    for _ in 0..6 {
        let answer = served
            .ask("POST", "/api/login", &page, &login("wrong"))
            .await;
        statuses.push(answer.status());
    }
    assert_eq!(statuses, [403, 403, 403, 403, 403, 429]);
    let wrong = served
        .ask("POST", "/api/login", &page, &login("wrong"))
        .await;
    assert!(wrong.header("retry-after").is_some());
    // From the same address, as of a proxy before all browsers.
    let right = served.ask("POST", "/api/login", &page, &login(TOKEN)).await;
    assert_eq!(right.status(), 200, "{}", right.0);
    // That does not begin anew for the others.
    let wrong = served
        .ask("POST", "/api/login", &page, &login("wrong"))
        .await;
    assert_eq!(wrong.status(), 429);
    served.end().await;
}
