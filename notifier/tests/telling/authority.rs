//! Authorities of private networks.

use std::path::{Path, PathBuf};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};

/// An authority, and a certificate of it for this machine with its key.
pub(crate) fn certificates(folder: &Path, name: &str) -> (PathBuf, [PathBuf; 2]) {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let of_server = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
    let of_server = of_server.signed_by(&key, &authority).unwrap();
    let write = |kind: &str, text: &str| {
        let path = folder.join(format!("{name}-{kind}.pem"));
        std::fs::write(&path, text).unwrap();
        path
    };
    let server = [
        write("server", &of_server.pem()),
        write("key", &key.serialize_pem()),
    ];
    (write("ca", &authority.pem()), server)
}
