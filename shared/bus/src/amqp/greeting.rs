//! What a broker says and shows before anybody logs in: its version, and its certificate.
//!
//! Nothing secret is sent on such a connection, so a certificate that nobody trusts can be looked at, too.

use std::sync::Arc;

use lapin::types::AMQPValue;
use lapin::types::parsing::parse_field_table;
use lapin::uri::{AMQPScheme, AMQPUri};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::{ClientConfig, DigitallySignedStruct, SignatureScheme};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use x509_parser::parse_x509_certificate;

/// What begins a connection (AMQP 0-9-1, 4.2.2).
const PROTOCOL_HEADER: &[u8; 8] = b"AMQP\x00\x00\x09\x01";
/// Type and channel of the frame of `connection.start`, and class and method in it.
const METHOD_FRAME: u8 = 1;
const CONNECTION_START: [u8; 4] = [0, 10, 0, 10];
/// What a frame ends with.
const FRAME_END: u8 = 0xce;
/// A frame of more bytes comes from no broker.
const LARGEST_FRAME: usize = 1024 * 1024;

/// What was seen.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Greeting {
    /// The version that the broker says it is.
    pub(super) version: Option<String>,
    /// Until when its certificate is valid, in seconds since 1970.
    pub(super) certificate_expires: Option<i64>,
}

/// Why nothing was seen.
#[derive(Debug, thiserror::Error)]
pub(super) enum NoGreeting {
    #[error("{0}")]
    Io(#[from] std::io::Error),
    #[error("TLS cannot be begun: {0}")]
    Tls(#[from] rustls::Error),
    #[error("{0} is no name for TLS")]
    Name(String),
    #[error("what answers there is no AMQP 0-9-1: {0}")]
    Protocol(&'static str),
}

/// Connects, looks and hangs up. What was seen until something went wrong is in `greeting`.
///
/// # Errors
/// When there is nobody, or somebody else.
pub(super) async fn greet(uri: &AMQPUri, greeting: &mut Greeting) -> Result<(), NoGreeting> {
    let authority = &uri.authority;
    let plain = TcpStream::connect((authority.host.as_str(), authority.port)).await?;
    if uri.scheme == AMQPScheme::AMQP {
        greeting.version = version(plain).await?;
        return Ok(());
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(AnyCertificate(provider)))
        .with_no_client_auth();
    let name = ServerName::try_from(authority.host.clone());
    let name = name.map_err(|_| NoGreeting::Name(authority.host.clone()))?;
    let encrypted = TlsConnector::from(Arc::new(config))
        .connect(name, plain)
        .await?;
    let (_, session) = encrypted.get_ref();
    let certificate = session.peer_certificates().and_then(|chain| chain.first());
    greeting.certificate_expires = certificate.and_then(expiry);
    greeting.version = version(encrypted).await?;
    Ok(())
}

/// Until when a certificate is valid.
fn expiry(certificate: &CertificateDer<'_>) -> Option<i64> {
    let (_, certificate) = parse_x509_certificate(certificate).ok()?;
    Some(certificate.validity().not_after.timestamp())
}

/// What `connection.start` says of the version.
async fn version(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
) -> Result<Option<String>, NoGreeting> {
    stream.write_all(PROTOCOL_HEADER).await?;
    stream.flush().await?;
    let mut head = [0; 7];
    stream.read_exact(&mut head).await?;
    let [kind, _, _, size @ ..] = head;
    let size = usize::try_from(u32::from_be_bytes(size)).unwrap_or(usize::MAX);
    if kind != METHOD_FRAME || size > LARGEST_FRAME {
        return Err(NoGreeting::Protocol("it begins otherwise"));
    }
    let mut frame = vec![0; size + 1];
    stream.read_exact(&mut frame).await?;
    if frame.pop() != Some(FRAME_END) {
        return Err(NoGreeting::Protocol("its frame has no end"));
    }
    read_version(&frame)
}

/// The version in the arguments of `connection.start`.
fn read_version(frame: &[u8]) -> Result<Option<String>, NoGreeting> {
    // Class, method, and the version of the protocol in two bytes; then the properties of the server.
    let properties = frame
        .strip_prefix(&CONNECTION_START)
        .and_then(|rest| rest.get(2..))
        .ok_or(NoGreeting::Protocol("it does not say connection.start"))?;
    let (_, properties) = parse_field_table(properties)
        .map_err(|_| NoGreeting::Protocol("its properties cannot be read"))?;
    let version = properties.inner().get("version");
    Ok(version.and_then(|version| match version {
        AMQPValue::LongString(text) => std::str::from_utf8(text.as_bytes()).ok().map(str::to_owned),
        _ => None,
    }))
}

/// Takes every certificate: it is looked at, and nothing is said to whom it belongs.
#[derive(Debug)]
struct AnyCertificate(Arc<CryptoProvider>);

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, certificate, signed, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, certificate, signed, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_beginning_of_a_broker_is_named_and_no_version() {
        assert!(matches!(read_version(b""), Err(NoGreeting::Protocol(_))));
        assert!(matches!(
            read_version(b"\x00\x0a\x00\x0a\x00\x09\xff"),
            Err(NoGreeting::Protocol(_))
        ));
        // A table of nothing.
        let empty = b"\x00\x0a\x00\x0a\x00\x09\x00\x00\x00\x00";
        assert!(matches!(read_version(empty), Ok(None)));
        let table = b"\x00\x0a\x00\x0a\x00\x09\x00\x00\x00\x12\x07versionS\x00\x00\x00\x054.0.5";
        assert_eq!(read_version(table).unwrap().as_deref(), Some("4.0.5"));
    }
}
