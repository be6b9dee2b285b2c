//! Trials by webhook.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use axum::http::StatusCode;
use tempfile::TempDir;
use tokio::net::TcpListener;

use crate::authority::certificates;
use crate::hook::{Answer, Hook, webhook};
use crate::python::PythonServer;
use crate::scene::{SECRET, settings, trial};

/// What Python's own library makes of it, as the page on notifications shows it.
const SIGNED: &str = r#"
import base64, hashlib, hmac, sys
key, id, at = sys.argv[1:]
signed = b".".join([id.encode(), at.encode(), sys.stdin.buffer.read()])
digest = hmac.new(key.encode(), signed, hashlib.sha256).digest()
print("v1," + base64.b64encode(digest).decode())
"#;

#[tokio::test]
async fn a_webhook_gets_what_is_signed_as_others_compute_it() {
    let (folder, hook) = (TempDir::new().unwrap(), Hook::default());
    let address = hook.serve().await;
    let settings = settings(folder.path(), &webhook("ops", address));
    let answer = trial(&settings).await;
    assert_eq!(answer, Ok(format!("http://{address}: 204 No Content")));
    let [taken] = &hook.taken()[..] else {
        panic!("{:?}", hook.taken())
    };
    assert_eq!(taken.document()["test"], true);
    assert_eq!(taken.document()["id"], taken.id);
    let mut python = Command::new("/usr/bin/python3")
        .args(["-c", SIGNED, SECRET, &taken.id, &taken.at])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    python.stdin.take().unwrap().write_all(&taken.body).unwrap();
    let computed = python.wait_with_output().unwrap().stdout;
    assert_eq!(String::from_utf8(computed).unwrap().trim(), taken.signature);
}

#[tokio::test]
async fn what_a_server_answers_is_told_without_what_was_secret_in_the_request() {
    let (folder, hook) = (TempDir::new().unwrap(), Hook::default());
    let address = hook.serve().await;
    let settings = settings(folder.path(), &webhook("ops", address));
    for (answer, words) in [
        (Answer::Status(StatusCode::FORBIDDEN), "403 Forbidden noted"),
        (
            Answer::Status(StatusCode::INTERNAL_SERVER_ERROR),
            "500 Internal Server Error noted",
        ),
        // A trial looks for the secrets in all that is said of it.
        (Answer::Echo, "404 Not Found nothing at [secret] for"),
    ] {
        hook.answers(answer);
        let cause = trial(&settings).await.unwrap_err();
        assert!(cause.contains(words), "{cause}");
    }
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let (folder, hook, elsewhere) = (TempDir::new().unwrap(), Hook::default(), Hook::default());
    let address = hook.serve().await;
    let settings = settings(folder.path(), &webhook("ops", address));
    let to = elsewhere.serve().await;
    hook.answers(Answer::Redirect(format!("http://{to}/hook")));
    let cause = trial(&settings).await.unwrap_err();
    assert!(cause.contains("redirects are not followed"), "{cause}");
    assert!(elsewhere.ids().is_empty(), "{:?}", elsewhere.taken());
}

#[tokio::test]
async fn a_server_that_does_not_answer_is_given_up_after_its_time() {
    let (folder, hook) = (TempDir::new().unwrap(), Hook::default());
    let address = hook.serve().await;
    let text = format!("{}timeout_seconds = 1\n", webhook("ops", address));
    let settings = settings(folder.path(), &text);
    hook.answers(Answer::Never);
    let cause = trial(&settings).await.unwrap_err();
    let expected =
        format!("http://{address}: no answer within 1 s; is it up, and are host and port right?");
    assert_eq!(cause, expected);
}

#[tokio::test]
async fn a_webhook_that_is_away_is_told_of_without_its_address() {
    let folder = TempDir::new().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let settings = settings(folder.path(), &webhook("ops", address));
    let cause = trial(&settings).await.unwrap_err();
    let expected = format!(
        "http://{address}: Connection refused (os error 111); is it up, and are host and port right?"
    );
    assert_eq!(cause, expected);
}

/// One answer over TLS. Its arguments: a certificate and its key.
const ENCRYPTED: &str = r#"
import http.server, ssl, sys
class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        # A connection that is closed with something unread in it takes the answer along.
        self.rfile.read(int(self.headers["content-length"]))
        self.send_response(200)
        self.send_header("content-length", "5")
        self.end_headers()
        self.wfile.write(b"noted")
    def log_message(self, *words):
        pass
server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(*sys.argv[1:])
server.socket = context.wrap_socket(server.socket, server_side=True)
print(server.server_port, flush=True)
server.serve_forever()
"#;

#[tokio::test]
async fn a_webhook_over_tls_is_posted_to_where_its_authority_is_trusted_alone() {
    let folder = TempDir::new().unwrap();
    let (ca, [certificate, key]) = certificates(folder.path(), "own");
    let (other, _) = certificates(folder.path(), "other");
    let server = PythonServer::start(ENCRYPTED, [&certificate, &key]);
    let with = |ca: Option<&Path>| {
        let ca = ca.map_or(String::new(), |ca| format!("ca = {ca:?}\n"));
        let url = format!("https://127.0.0.1:{}/hook", server.port);
        format!(
            "[notifications.ops]\ntype = \"webhook\"\nurl = {url:?}\nsecret_file = \
             \"SECRET_FILE\"\n{ca}"
        )
    };
    let answer = trial(&settings(folder.path(), &with(Some(&ca)))).await;
    let place = format!("https://127.0.0.1:{}", server.port);
    assert_eq!(answer, Ok(format!("{place}: 200 OK noted")));
    for stranger in [Some(&*other), None] {
        let cause = trial(&settings(folder.path(), &with(stranger))).await;
        let cause = cause.unwrap_err();
        assert!(cause.to_lowercase().contains("certificate"), "{cause}");
        assert!(cause.contains("; `ca` names the authority"), "{cause}");
    }
}
