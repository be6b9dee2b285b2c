//! Connections to the broker, encrypted where its URL says so.

use std::path::{Path, PathBuf};

use lapin::tcp::{AMQPUriTcpExt, RustlsConnector, RustlsConnectorConfig, TLSConfig};
use lapin::uri::{AMQPScheme, AMQPUri};
use lapin::{Connection, ConnectionProperties, runtime};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;

use crate::seam::BusError;

/// Where the broker is, and how its certificate is judged.
#[derive(Clone)]
pub(super) struct Address {
    pub(super) uri: AMQPUri,
    /// Absent where the connection is not encrypted.
    tls: Option<RustlsConnector>,
}

impl Address {
    /// Reads the certificates that are trusted: those of the system, and those of `ca`.
    pub(super) async fn new(uri: AMQPUri, ca: Option<&Path>) -> Result<Self, BusError> {
        let tls = match (uri.scheme.clone(), ca) {
            (AMQPScheme::AMQPS, ca) => Some(connector(ca).await?),
            (AMQPScheme::AMQP, None) => None,
            (AMQPScheme::AMQP, Some(_)) => {
                let detail = "there is a `broker.ca`, and the connection would not be encrypted; \
                              write amqps://, or remove `broker.ca`";
                return Err(BusError::Url {
                    detail: detail.to_owned(),
                });
            }
        };
        Ok(Self { uri, tls })
    }

    /// Opens a connection, with frames of at most so many bytes where the URL does not say
    /// another number. lapin has no limit of time for it.
    pub(super) async fn connect(
        &self,
        properties: ConnectionProperties,
        frame_max: Option<u32>,
    ) -> lapin::Result<Connection> {
        let mut uri = self.uri.clone();
        uri.query.frame_max = uri.query.frame_max.or(frame_max);
        let Some(connector) = self.tls.clone() else {
            return Connection::connect_uri(uri, properties).await;
        };
        let open = async move |uri: AMQPUri, runtime| {
            let host = uri.authority.host.clone();
            // TLS comes on top of it, with the certificates that were read once.
            let plain = AMQPUri {
                scheme: AMQPScheme::AMQP,
                ..uri
            };
            let stream = plain.connect_with_config_async(TLSConfig::default(), &runtime);
            Ok(stream.await?.into_rustls(&connector, &host).await?)
        };
        let runtime = runtime::default_runtime()?;
        Connection::connector(uri, runtime, open, properties).await
    }
}

async fn connector(ca: Option<&Path>) -> Result<RustlsConnector, BusError> {
    let system = RustlsConnectorConfig::new_with_native_certs();
    let config = match (ca, system) {
        (Some(path), system) => {
            let own = own_certificates(path).await?;
            let system = system.unwrap_or_else(|error| {
                tracing::debug!(%error, "this system has no certificates of its own");
                RustlsConnectorConfig::default()
            });
            system.with_parsable_certificates(own)
        }
        (None, Ok(system)) => system,
        (None, Err(error)) => {
            let detail = format!(
                "this system trusts nobody ({error}); install its certificates \
                 (ca-certificates), or name those of the broker in `broker.ca`"
            );
            return Err(BusError::Untrusted { detail });
        }
    };
    config
        .connector_with_no_client_auth()
        .map_err(|error| BusError::Untrusted {
            detail: error.to_string(),
        })
}

/// The certificates of a PEM file, every one of them usable.
async fn own_certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, BusError> {
    let unusable = |detail: String| BusError::Certificates {
        path: PathBuf::from(path),
        detail,
    };
    let text = tokio::fs::read(path).await;
    let text = text.map_err(|error| unusable(error.to_string()))?;
    let certificates = CertificateDer::pem_slice_iter(&text).collect::<Result<Vec<_>, _>>();
    let certificates = certificates.map_err(|error| unusable(error.to_string()))?;
    if certificates.is_empty() {
        return Err(unusable("it holds no certificate in PEM".to_owned()));
    }
    for (index, certificate) in certificates.iter().enumerate() {
        // Beside others, one that cannot be read would be passed over without a word.
        let alone = RustlsConnectorConfig::default()
            .with_parsable_certificates(vec![certificate.clone()])
            .connector_with_no_client_auth();
        if alone.is_err() {
            let number = index + 1;
            return Err(unusable(format!("its certificate {number} cannot be read")));
        }
    }
    Ok(certificates)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn uri(text: &str) -> AMQPUri {
        text.parse().unwrap()
    }

    #[tokio::test]
    async fn a_file_of_certificates_that_is_missing_or_malformed_is_named() {
        let directory = tempfile::TempDir::new().unwrap();
        let path = directory.path().join("ca.pem");
        let mut contents = vec![None];
        for content in [
            "",
            "nonsense",
            "-----BEGIN CERTIFICATE-----\nMIIB",
            "-----BEGIN CERTIFICATE-----\nbm9uc2Vuc2U=\n-----END CERTIFICATE-----\n",
        ] {
            contents.push(Some(content));
        }
        for content in contents {
            if let Some(content) = content {
                std::fs::write(&path, content).unwrap();
            }
            let refused = Address::new(uri("amqps://broker"), Some(&path)).await;
            let error = refused.err().unwrap();
            assert!(
                matches!(&error, BusError::Certificates { path: named, .. } if *named == path),
                "{content:?}: {error}"
            );
            assert!(error.to_string().contains("ca.pem"), "{error}");
        }
    }

    #[tokio::test]
    async fn certificates_for_a_connection_that_is_not_encrypted_are_a_mistake() {
        let refused = Address::new(uri("amqp://broker"), Some(Path::new("/ca.pem"))).await;
        let error = refused.err().unwrap();
        assert!(matches!(error, BusError::Url { .. }), "{error}");
        assert!(error.to_string().contains("amqps://"), "{error}");
    }
}
