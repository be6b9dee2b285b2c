//! Telling by mail.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use gentoo_updater_fleet::config::{Encryption, Mail, Secret};
use lettre::message::{Mailbox, MultiPart};
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, Tls, TlsParameters};
use lettre::{AsyncSmtpTransport, AsyncTransport, Message as Letter, Tokio1Executor};

use crate::causes;
use crate::deliver::{Answer, Failed};
use crate::render::Message;
use crate::secret::{self, Secrets};

/// Sends it.
pub(crate) async fn send(
    mail: &Mail,
    message: &Message,
    limit: Duration,
    secrets: &mut Secrets,
) -> Result<Answer, Failed> {
    let letter = letter(mail, message).map_err(Failed::for_good)?;
    let transport = transport(mail, limit, secrets);
    let transport = transport.map_err(|error| Failed::passing(format!("{error:#}")))?;
    let place = place(mail);
    let answer = transport.send(letter).await.map_err(|error| {
        let (words, remedy) = (causes::words(&error), causes::remedy(&error));
        let cause = format!("{place}: {words}{remedy}");
        match error.is_permanent() {
            true => Failed::for_good(cause),
            false => Failed::passing(cause),
        }
    })?;
    let code = answer.code();
    let words: Vec<&str> = answer.message().collect();
    Ok(Answer(format!("{place}: {code} {}", words.join(" "))))
}

/// Where it goes.
pub(crate) fn place(mail: &Mail) -> String {
    format!("{}:{}", mail.server, mail.port)
}

fn letter(mail: &Mail, message: &Message) -> anyhow::Result<Letter> {
    let from: Mailbox = mail.from.parse()?;
    // The same in every try, so that a mailbox tells a copy.
    let id = format!(
        "<{}@gentoo-updater.{}>",
        message.document.id,
        from.email.domain()
    );
    let mut letter = Letter::builder()
        .from(from)
        .message_id(Some(id))
        .subject(&message.subject);
    for to in &mail.to {
        letter = letter.to(to.parse()?);
    }
    let body = MultiPart::alternative_plain_html(message.text.clone(), message.html.clone());
    Ok(letter.multipart(body)?)
}

fn transport(
    mail: &Mail,
    limit: Duration,
    secrets: &mut Secrets,
) -> anyhow::Result<AsyncSmtpTransport<Tokio1Executor>> {
    let mut builder = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(&mail.server)
        .port(mail.port)
        .timeout(Some(limit));
    if mail.encryption != Encryption::None {
        let mut parameters = TlsParameters::builder(mail.server.clone());
        if let Some(authority) = authority(mail)? {
            parameters = parameters.add_root_certificate(authority);
        }
        let parameters = parameters.build_rustls()?;
        builder = builder.tls(match mail.encryption {
            Encryption::Tls => Tls::Wrapper(parameters),
            _ => Tls::Required(parameters),
        });
    }
    if let Some((user, password)) = &mail.login {
        let password = secret::read(password, secrets)?;
        // As it is sent (RFC 4616 and the mechanism LOGIN).
        secrets.add(BASE64.encode(format!("\0{user}\0{password}")));
        secrets.add(BASE64.encode(&password));
        builder = builder.credentials(Credentials::new(user.clone(), password));
    }
    Ok(builder.build())
}

/// The authority that is trusted for it beside those of the system.
fn authority(mail: &Mail) -> anyhow::Result<Option<Certificate>> {
    let read = |ca: &PathBuf| {
        let certificate = std::fs::read(ca)
            .map_err(anyhow::Error::from)
            .and_then(|text| Ok(Certificate::from_pem(&text)?));
        certificate.with_context(|| format!("ca {} cannot be read", ca.display()))
    };
    mail.ca.as_ref().map(read).transpose()
}

/// Whether those who write and are written to have addresses.
///
/// # Errors
/// With the one that has none.
pub(crate) fn check(mail: &Mail) -> anyhow::Result<()> {
    for address in std::iter::once(&mail.from).chain(&mail.to) {
        let parsed = address.parse::<Mailbox>();
        parsed.map_err(|error| anyhow!("{address:?} is no address of mail: {error}"))?;
    }
    Ok(())
}

/// Whether the files can be used that it works with.
///
/// # Errors
/// With the file, and nothing of what is in it.
pub(crate) fn check_files(mail: &Mail) -> anyhow::Result<()> {
    if let Some((_, password @ Secret::File(_))) = &mail.login {
        secret::read(password, &mut Secrets::default())?;
    }
    authority(mail).map(|_| ())
}
