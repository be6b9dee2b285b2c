//! Telling by a POST request, signed as the Standard Webhooks say.
//!
//! <https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md>

use std::sync::Arc;

use anyhow::{Context as _, ensure};
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use gentoo_updater_fleet::config::{Secret, Webhook, WebhookUrl};
use hmac::{Hmac, Mac};
use http_body_util::{BodyExt, Full, Limited};
use hyper::header::CONTENT_TYPE;
use hyper::{Request, StatusCode, Uri};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use jiff::Timestamp;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use sha2::Sha256;

use crate::causes;
use crate::deliver::{Answer, Failed};
use crate::render::Message;
use crate::secret::{self, Secrets};

/// How much of an answer is read.
const MOST: usize = 64 * 1024;
/// What a secret begins with that is written in base64.
const PREFIX: &str = "whsec_";

/// Posts it. A redirect is not followed: what is signed is for this address.
pub(crate) async fn post(
    webhook: &Webhook,
    message: &Message,
    secrets: &mut Secrets,
) -> Result<Answer, Failed> {
    let prepared = prepare(webhook, message, secrets);
    let (request, place) = prepared.map_err(|error| Failed::passing(format!("{error:#}")))?;
    let client = client(webhook).map_err(|error| Failed::passing(format!("{error:#}")))?;
    let answer = client.request(request).await.map_err(|error| {
        // The others may name the whole address, which may hold a token.
        let (cause, remedy) = (causes::innermost(&error), causes::remedy(&error));
        Failed::passing(format!("{place}: {cause}{remedy}"))
    })?;
    let status = answer.status();
    let body = Limited::new(answer.into_body(), MOST).collect().await;
    let body = body.map(|body| body.to_bytes()).unwrap_or_default();
    let said = String::from_utf8_lossy(&body);
    let words = format!("{place}: {status} {said}");
    match status {
        status if status.is_success() => Ok(Answer(words)),
        status if status.is_redirection() => Err(Failed::for_good(format!(
            "{words}: redirects are not followed"
        ))),
        StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_EARLY | StatusCode::TOO_MANY_REQUESTS => {
            Err(Failed::passing(words))
        }
        status if status.is_client_error() => Err(Failed::for_good(words)),
        _ => Err(Failed::passing(words)),
    }
}

fn prepare(
    webhook: &Webhook,
    message: &Message,
    secrets: &mut Secrets,
) -> anyhow::Result<(Request<Full<Bytes>>, String)> {
    let url = match &webhook.url {
        WebhookUrl::Given(url) => url.clone(),
        WebhookUrl::File(path) => secret::read(&Secret::File(path.clone()), secrets)?,
    };
    let (uri, place) = address(&url)?;
    hide(&uri, secrets);
    let body = serde_json::to_vec(&message.document)?;
    let (id, at) = (
        message.document.id.to_string(),
        Timestamp::now().as_second(),
    );
    let mut request = Request::post(uri)
        .header(CONTENT_TYPE, "application/json")
        .header("webhook-id", &id)
        .header("webhook-timestamp", at);
    if let Some(secret) = &webhook.secret {
        let key = key(&secret::read(secret, secrets)?)?;
        let signature = signature(&key, &id, at, &body)?;
        request = request.header("webhook-signature", signature);
    }
    Ok((request.body(Full::new(body.into()))?, place))
}

/// An address, and what may be shown of it.
///
/// # Errors
/// When no request can go there. The address is not shown: it may hold a token.
fn address(url: &str) -> anyhow::Result<(Uri, String)> {
    let uri: Uri = url.parse().ok().context(
        "its address is no URI; what stands for itself there is letters, digits and -._~:/?#[]@!$&'()*+,;= and all \
         else is written as %20 for a space",
    )?;
    let host = uri.host().context("its address has no host")?;
    // A user in it would be sent nowhere.
    let authority = uri.authority().map_or("", |authority| authority.as_str());
    ensure!(
        !authority.contains('@'),
        "its address names a user; put what it needs into its path or its query"
    );
    let scheme = uri.scheme_str().unwrap_or("https");
    let standard = if scheme == "http" { 80 } else { 443 };
    let port = uri.port_u16().unwrap_or(standard);
    let place = format!("{scheme}://{host}:{port}");
    Ok((uri, place))
}

/// What may be shown of where it goes.
pub(crate) fn place(webhook: &Webhook) -> String {
    match &webhook.url {
        WebhookUrl::Given(url) => {
            address(url).map_or_else(|_| "its address".to_owned(), |(_, place)| place)
        }
        WebhookUrl::File(path) => format!("the address in {}", path.display()),
    }
}

/// Whether requests can go where the configuration says.
///
/// # Errors
/// As [`address`].
pub(crate) fn check(webhook: &Webhook) -> anyhow::Result<()> {
    match &webhook.url {
        WebhookUrl::Given(url) => address(url).map(|_| ()),
        WebhookUrl::File(_) => Ok(()),
    }
}

/// Whether the files can be used that it works with.
///
/// # Errors
/// With the file, and nothing of what is in it.
pub(crate) fn check_files(webhook: &Webhook) -> anyhow::Result<()> {
    let mut secrets = Secrets::default();
    if let WebhookUrl::File(path) = &webhook.url {
        let url = secret::read(&Secret::File(path.clone()), &mut secrets)?;
        address(&url).with_context(|| path.display().to_string())?;
    }
    if let Some(secret @ Secret::File(path)) = &webhook.secret {
        key(&secret::read(secret, &mut secrets)?).with_context(|| path.display().to_string())?;
    }
    authorities(webhook).map(|_| ())
}

/// The parts of an address that may be tokens.
fn hide(uri: &Uri, secrets: &mut Secrets) {
    secrets.add(uri.to_string());
    secrets.add(uri.path_and_query().map_or("", |it| it.as_str()));
    uri.path().split('/').for_each(|part| secrets.add(part));
    let query = uri.query().unwrap_or_default();
    for part in query.split('&') {
        secrets.add(part.split_once('=').map_or(part, |(_, value)| value));
    }
}

/// What a secret stands for.
fn key(secret: &str) -> anyhow::Result<Vec<u8>> {
    let key = match secret.strip_prefix(PREFIX) {
        // The error would show a part of it.
        Some(encoded) => BASE64.decode(encoded).ok().context(
            "the secret of the webhook begins with whsec_, and what follows is no base64",
        )?,
        None => secret.as_bytes().to_vec(),
    };
    ensure!(
        key.len() >= 16,
        "the secret of the webhook has less than 16 bytes"
    );
    Ok(key)
}

/// `v1,` and the HMAC-SHA256 of `ID.TIMESTAMP.BODY` in base64.
fn signature(key: &[u8], id: &str, at: i64, body: &[u8]) -> anyhow::Result<String> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key)?;
    mac.update(format!("{id}.{at}.").as_bytes());
    mac.update(body);
    Ok(format!("v1,{}", BASE64.encode(mac.finalize().into_bytes())))
}

type HttpClient = Client<HttpsConnector<HttpConnector>, Full<Bytes>>;

/// The authorities that are trusted for it beside those of the system.
fn authorities(webhook: &Webhook) -> anyhow::Result<Vec<CertificateDer<'static>>> {
    let Some(ca) = &webhook.ca else {
        return Ok(Vec::new());
    };
    let all = CertificateDer::pem_file_iter(ca).and_then(Iterator::collect);
    all.with_context(|| format!("ca {} cannot be read", ca.display()))
}

fn client(webhook: &Webhook) -> anyhow::Result<HttpClient> {
    let mut roots = RootCertStore::empty();
    let system = rustls_native_certs::load_native_certs();
    roots.add_parsable_certificates(system.certs);
    for certificate in authorities(webhook)? {
        roots.add(certificate)?;
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    let connector = HttpsConnectorBuilder::new()
        .with_tls_config(config)
        .https_or_http()
        .enable_http1()
        .build();
    Ok(Client::builder(TokioExecutor::new()).build(connector))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_is_signed_as_the_standard_says() {
        // The example of the specification's reference implementations.
        let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
        let (id, at) = ("msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330);
        let signed = signature(&key(secret).unwrap(), id, at, br#"{"test": 2432232314}"#).unwrap();
        assert_eq!(signed, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn a_secret_that_cannot_be_used_is_not_shown() {
        for secret in ["whsec_hunter2!", "hunter2"] {
            let error = key(secret).unwrap_err();
            assert!(!format!("{error:#}").contains("hunter2"), "{error:#}");
        }
    }
}
