//! The certificate that the server shows, read anew when it is told to.

use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use rustls::crypto::ring;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{InconsistentKeys, ServerConfig};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::TlsAcceptor;

use crate::ServerError;

/// Where certificate and key lie, both in PEM.
#[derive(Debug, Clone)]
pub struct CertificateFiles {
    /// The certificate, and behind it those that lead to the authority.
    pub certificate: PathBuf,
    /// Its private key.
    pub key: PathBuf,
}

/// The certificate as it was read last.
#[derive(Debug)]
pub(crate) struct Certificate {
    files: CertificateFiles,
    read: RwLock<Arc<CertifiedKey>>,
}

impl Certificate {
    pub(crate) fn read(files: CertificateFiles) -> Result<Self, ServerError> {
        let read = RwLock::new(Arc::new(certified_key(&files)?));
        Ok(Self { files, read })
    }

    /// Reads the files again. What cannot be used changes nothing: connections go on with what was
    /// read before.
    pub(crate) fn read_again(&self) -> Result<(), ServerError> {
        let key = Arc::new(certified_key(&self.files)?);
        *self.read.write().unwrap_or_else(PoisonError::into_inner) = key;
        Ok(())
    }

    /// Accepts connections under whatever certificate is the newest by then.
    pub(crate) fn acceptor(self: &Arc<Self>) -> Result<TlsAcceptor, ServerError> {
        let provider = Arc::new(ring::default_provider());
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| ServerError::Tls(error.to_string()))?
            .with_no_client_auth()
            .with_cert_resolver(self.clone());
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Arc::new(config).into())
    }
}

impl ResolvesServerCert for Certificate {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let read = self.read.read().unwrap_or_else(PoisonError::into_inner);
        Some(read.clone())
    }
}

fn certified_key(files: &CertificateFiles) -> Result<CertifiedKey, ServerError> {
    let CertificateFiles { certificate, key } = files;
    let chain = CertificateDer::pem_slice_iter(&bytes(certificate)?).collect::<Result<Vec<_>, _>>();
    let chain = chain.map_err(|error| unusable(certificate, error))?;
    if chain.is_empty() {
        return Err(unusable(certificate, "it holds no certificate in PEM"));
    }
    let private = PrivateKeyDer::from_pem_slice(&bytes(key)?);
    let private = private.map_err(|error| unusable(key, error))?;
    let provider = ring::default_provider();
    CertifiedKey::from_der(chain, private, &provider).map_err(|error| match error {
        rustls::Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => {
            ServerError::KeyDoesNotFit {
                certificate: certificate.clone(),
                key: key.clone(),
            }
        }
        rustls::Error::InvalidCertificate(_) => unusable(certificate, error),
        error => unusable(key, error),
    })
}

fn bytes(path: &Path) -> Result<Vec<u8>, ServerError> {
    std::fs::read(path).map_err(|error| unusable(path, error))
}

fn unusable(path: &Path, cause: impl ToString) -> ServerError {
    ServerError::FileUnusable {
        path: path.to_owned(),
        cause: cause.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use std::fs::write;

    use rcgen::generate_simple_self_signed;
    use tempfile::TempDir;

    use super::*;

    fn files(folder: &TempDir) -> CertificateFiles {
        CertificateFiles {
            certificate: folder.path().join("store.pem"),
            key: folder.path().join("store.key"),
        }
    }

    #[test]
    fn each_file_that_cannot_be_used_is_named_with_the_cause() {
        let folder = TempDir::new().unwrap();
        let files = files(&folder);
        let own = generate_simple_self_signed(vec!["store".to_owned()]).unwrap();
        let other = generate_simple_self_signed(vec!["store".to_owned()]).unwrap();
        let (certificate, key) = (own.cert.pem(), own.signing_key.serialize_pem());
        let said = |certificate: &str, key: &str| {
            write(&files.certificate, certificate).unwrap();
            write(&files.key, key).unwrap();
            Certificate::read(files.clone())
                .err()
                .map(|error| error.to_string())
        };
        assert_eq!(said(&certificate, &key), None);
        for (certificate, key, words) in [
            (
                "",
                key.as_str(),
                "store.pem cannot be used: it holds no certificate",
            ),
            (
                &key,
                &key,
                "store.pem cannot be used: it holds no certificate",
            ),
            (&certificate, "", "store.key cannot be used"),
            (&certificate, &certificate, "store.key cannot be used"),
            (
                &certificate,
                &other.signing_key.serialize_pem(),
                "is not the key of",
            ),
        ] {
            let said = said(certificate, key).unwrap();
            assert!(said.contains(words), "{words}: {said}");
        }
        std::fs::remove_file(&files.key).unwrap();
        let error = Certificate::read(files.clone()).unwrap_err().to_string();
        assert!(
            error.contains("store.key") && error.contains("No such file"),
            "{error}"
        );
    }
}
