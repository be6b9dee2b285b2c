//! Asking a server for its keys, without trusting any of them and without logging in.

use std::sync::{Arc, Mutex, PoisonError};

use russh::client;

use super::algorithms;
use super::connection::{Failure, Offered, handshake_turn, open_jump};
use super::link::dial;
use super::target::Target;
use crate::error::HostError;
use crate::host::SshSettings;
use crate::host_key::HostKey;

/// The key of each kind that the server has; one handshake a kind, since a server shows only one
/// key in each. A jump host on the way must be trusted already.
pub(crate) async fn scan(
    target: &Target,
    settings: &SshSettings,
) -> Result<Vec<HostKey>, HostError> {
    let timeout = settings.connect_timeout;
    let jump = open_jump(target, settings).await?;
    let mut keys = Vec::new();
    for kind in algorithms::KINDS {
        let shown = Arc::new(Mutex::new(None));
        let config = client::Config {
            preferred: algorithms::only(kind),
            ..client::Config::default()
        };
        let looker = Looker(Arc::clone(&shown));
        let turn = handshake_turn(target).await;
        let dialled =
            tokio::time::timeout(timeout, dial(target, jump.as_ref(), config, looker)).await;
        drop(turn);
        let key = shown.lock().unwrap_or_else(PoisonError::into_inner).take();
        match (key, dialled) {
            (Some(key), _) => keys.push(key),
            // The server has no key of this kind.
            (None, Ok(Err(Failure::Cut(russh::Error::NoCommonAlgo { .. })))) => {}
            (None, Ok(Err(failure))) => return Err(failure.into_host_error(target)),
            (None, Ok(Ok(_))) => {
                return Err(target.unreachable("the server showed no key"));
            }
            (None, Err(_)) => {
                return Err(target.unreachable(format!("no answer within {timeout:?}")));
            }
        }
    }
    if keys.is_empty() {
        return Err(target.unreachable("the server has no ed25519, ecdsa or rsa key"));
    }
    Ok(keys)
}

/// Notes the key and ends the handshake.
struct Looker(Arc<Mutex<Option<HostKey>>>);

impl client::Handler for Looker {
    type Error = Failure;

    async fn check_server_key(
        &mut self,
        offered: &russh::keys::PublicKeyOrCertificate,
    ) -> Result<bool, Failure> {
        let Offered { key, .. } = Offered::read(offered)?;
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(key);
        // The signature over the exchange was verified before this call, so the server holds the
        // key. There is nothing more to learn from it.
        Ok(false)
    }
}
