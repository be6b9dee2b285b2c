//! Trials by mail, with Debian's aiosmtpd.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::authority::certificates;
use crate::following::pass;
use crate::python::PythonServer;
use crate::scene::{Fleet, SECRET, settings, trial};

/// A server that takes mail of `fleet` with the password alone, and answers with it to who writes to `echo`.
struct MailServer {
    python: PythonServer,
    out: PathBuf,
}

/// Its arguments: the password, the file of what was delivered, and for STARTTLS a certificate and its key.
const SERVER: &str = r#"
import asyncio, ssl, sys
from aiosmtpd.smtp import SMTP, AuthResult
password, out, *tls = sys.argv[1:]
class Handler:
    async def handle_RCPT(self, server, session, envelope, address, options):
        if address.startswith("echo@"):
            return "550 not with " + password
        envelope.rcpt_tos.append(address)
        return "250 OK"
    async def handle_DATA(self, server, session, envelope):
        with open(out, "ab") as file:
            file.write(envelope.content)
        return "250 noted"
def check(server, session, envelope, mechanism, data):
    good = (data.login, data.password) == (b"fleet", password.encode())
    return AuthResult(success=good, handled=False)
context = None
if tls:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*tls)
def session():
    return SMTP(Handler(), authenticator=check, auth_required=True, auth_require_tls=bool(tls),
                tls_context=context, require_starttls=bool(tls))
async def main():
    server = await asyncio.get_running_loop().create_server(session, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()
asyncio.run(main())
"#;

impl MailServer {
    fn start(folder: &Path, tls: &[PathBuf]) -> Self {
        let out = folder.join("mail");
        let arguments = [OsStr::new(SECRET), out.as_os_str()].into_iter();
        let arguments = arguments.chain(tls.iter().map(|path| path.as_os_str()));
        let python = PythonServer::start(SERVER, arguments);
        Self { python, out }
    }

    /// What was delivered.
    fn delivered(&self) -> String {
        std::fs::read_to_string(&self.out).unwrap_or_default()
    }
}

/// What came of a trial of a user to somebody, with more keys.
async fn tried(
    folder: &TempDir,
    server: &MailServer,
    user: &str,
    to: &str,
    more: &str,
) -> Result<String, String> {
    let text = format!(
        "[notifications.ops]\ntype = \"mail\"\nserver = \"127.0.0.1\"\nport = {}\nuser = {user:?}\n\
         password_file = \"SECRET_FILE\"\nfrom = \"Updates <fleet@example.net>\"\nto = [{to:?}]\n{more}",
        server.python.port
    );
    trial(&settings(folder.path(), &text)).await
}

const PLAIN: &str = "encryption = \"none\"\n";
const TO: &str = "ops@example.net";

#[tokio::test]
async fn a_mail_server_takes_text_and_html_with_the_id_and_a_wrong_login_is_told() {
    let folder = TempDir::new().unwrap();
    let server = MailServer::start(folder.path(), &[]);
    let answer = tried(&folder, &server, "fleet", TO, PLAIN).await.unwrap();
    assert!(answer.contains("250 noted"), "{answer}");
    let text = server.delivered();
    for words in [
        "Subject: [gentoo-updater] this is a trial",
        "@gentoo-updater.example.net>",
        "Content-Type: text/plain",
        "Content-Type: text/html",
        "`gentoo-updater status` shows all that waits.",
    ] {
        assert!(text.contains(words), "{words:?} is not in {text}");
    }
    let cause = tried(&folder, &server, "nobody", TO, PLAIN).await;
    let cause = cause.unwrap_err();
    assert!(cause.contains("535"), "{cause}");
}

#[tokio::test]
async fn what_a_mail_server_answers_is_told_without_the_password() {
    let folder = TempDir::new().unwrap();
    let server = MailServer::start(folder.path(), &[]);
    let cause = tried(&folder, &server, "fleet", "echo@example.net", PLAIN).await;
    let cause = cause.unwrap_err();
    assert!(cause.contains("not with [secret]"), "{cause}");
}

#[tokio::test]
async fn a_mail_server_that_is_away_is_told_with_its_port_and_once() {
    let folder = TempDir::new().unwrap();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let text = format!(
        "[notifications.ops]\ntype = \"mail\"\nserver = \"127.0.0.1\"\nport = {}\nfrom = \
         \"fleet@example.net\"\nto = [\"ops@example.net\"]\n{PLAIN}",
        address.port()
    );
    let cause = trial(&settings(folder.path(), &text)).await.unwrap_err();
    let expected = format!(
        "{address}: Connection error: Connection refused (os error 111); is it up, and are host and port \
         right?"
    );
    assert_eq!(cause, expected);
}

#[tokio::test]
async fn a_login_goes_over_starttls_and_to_a_server_alone_whose_authority_is_trusted() {
    let folder = TempDir::new().unwrap();
    let (ca, server) = certificates(folder.path(), "own");
    let (other, _) = certificates(folder.path(), "other");
    let server = MailServer::start(folder.path(), &server);
    let with = |ca: &Path| format!("ca = {ca:?}\n");
    let answer = tried(&folder, &server, "fleet", TO, &with(&ca)).await;
    assert!(
        answer.as_ref().is_ok_and(|it| it.contains("250 noted")),
        "{answer:?}"
    );
    let cause = tried(&folder, &server, "fleet", TO, &with(&other)).await;
    let cause = cause.unwrap_err();
    assert!(cause.to_lowercase().contains("certificate"), "{cause}");
    assert!(cause.contains("; `ca` names the authority"), "{cause}");

    // One without STARTTLS gets neither password nor mail.
    let plain = MailServer::start(&folder.path().join("."), &[]);
    let delivered = server.delivered();
    let cause = tried(&folder, &plain, "fleet", TO, &with(&ca)).await;
    let cause = cause.unwrap_err();
    assert!(cause.to_lowercase().contains("starttls"), "{cause}");
    assert_eq!(server.delivered(), delivered);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_template_fails_at_is_told_in_the_words_that_are_built_in_with_the_reason() {
    let folder = TempDir::new().unwrap();
    let (server, template) = (
        MailServer::start(folder.path(), &[]),
        folder.path().join("text"),
    );
    // No trial shows this.
    std::fs::write(&template, "{% if not test %}{{ headlin }}{% endif %}").unwrap();
    let text = format!(
        "[notifications.ops]\ntype = \"mail\"\nserver = \"127.0.0.1\"\nport = {}\nencryption = \
         \"none\"\nuser = \"fleet\"\npassword_file = \"SECRET_FILE\"\nfrom = \"fleet@example.net\"\nto = \
         [\"ops@example.net\"]\ntext_template = {template:?}\n",
        server.python.port
    );
    let fleet = Fleet::new(settings(folder.path(), &text)).await;
    pass(&fleet).await;
    let run = fleet.run().await;
    pass(&fleet).await;
    // It is quoted-printable.
    let mail = server.delivered().replace("=\r\n", "");
    let headline = format!("run {} ended with failures", run.short());
    assert!(mail.contains(&headline), "{mail}");
    let reason =
        "This is not in the words of its templates: notifications.ops: its template of the text";
    assert_eq!(mail.matches(reason).count(), 2, "{mail}");
}
