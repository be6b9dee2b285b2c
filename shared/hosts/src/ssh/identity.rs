//! Logging in with key files and an agent.

use std::path::PathBuf;
use std::sync::Arc;

use russh::client::{AuthResult, Handle, Handler};
use russh::keys::agent::AgentIdentity;
use russh::keys::agent::client::AgentClient;
use russh::keys::{Certificate, HashAlg, PrivateKey, PrivateKeyWithHashAlg, PublicKey};
use tokio::net::UnixStream;

use super::key_file::KeyFile;
use super::target::Target;
use super::user_certificate::{self, UserCertificate};
use crate::error::HostError;

/// Offers the keys until the server takes one: first the files in their order, through the agent
/// where they are encrypted, then the other keys of the agent, unless only the files are wanted. A
/// certificate of a key is offered before the key itself.
pub(super) async fn log_in<H: Handler>(
    handle: &mut Handle<H>,
    target: &Target,
) -> Result<(), HostError> {
    let mut login = Login {
        handle,
        target,
        notes: Vec::new(),
        refused: false,
    };
    let certificates = user_certificate::read_all(target, &mut login.notes);
    let mut agent = Agent::open(target, &mut login.notes).await;
    let mut missing = Vec::new();
    for file in &target.identity_files {
        let name = file.display().to_string();
        let is_in = match KeyFile::read(file) {
            KeyFile::Private(key) => {
                let key = Arc::new(*key);
                let held_by = agent.as_mut();
                login.offer_certified(&certificates, &key, held_by).await?
                    || login.offer(&name, key).await?
            }
            KeyFile::Public(key, why) => match agent.as_mut() {
                Some(agent) => {
                    let mut is_in = login
                        .offer_certified_held(&certificates, &key, agent)
                        .await?;
                    if !is_in && agent.take(&key) {
                        is_in = login.offer_held(&name, *key, agent).await?;
                    } else if !is_in {
                        login.note_unheld(&name, why);
                    }
                    is_in
                }
                None => {
                    login.note_unheld(&name, why);
                    false
                }
            },
            KeyFile::Nothing(why) => {
                login.notes.push(format!("{name} {why}"));
                false
            }
            KeyFile::Missing => {
                missing.push(name);
                false
            }
        };
        if is_in {
            return Ok(());
        }
    }
    if let Some(mut agent) = agent.filter(|_| !target.identities_only) {
        for (key, comment) in std::mem::take(&mut agent.keys) {
            let name = format!("the key {comment:?} of the agent");
            if login
                .offer_certified_held(&certificates, &key, &mut agent)
                .await?
                || login.offer_held(&name, key, &mut agent).await?
            {
                return Ok(());
            }
        }
        let held = agent.take_certificates(None);
        if login.offer_certificates(held, &mut agent).await? {
            return Ok(());
        }
    }
    if !missing.is_empty() {
        let missing = format!("there is no {}", missing.join(", no "));
        login.notes.push(missing);
    }
    Err(login.refused())
}

/// One attempt to log in, with what came of each key.
struct Login<'a, H: Handler> {
    handle: &'a mut Handle<H>,
    target: &'a Target,
    notes: Vec<String>,
    /// Whether the server has refused a key.
    refused: bool,
}

impl<H: Handler> Login<'_, H> {
    async fn offer(&mut self, name: &str, key: Arc<PrivateKey>) -> Result<bool, HostError> {
        let Ok(hash) = self.hash_for(name, key.public_key()).await? else {
            return Ok(false);
        };
        let key = PrivateKeyWithHashAlg::new(key, hash);
        let answer = self
            .handle
            .authenticate_publickey(&self.target.user, key)
            .await
            .map_err(|error| self.cut(&error))?;
        Ok(self.note(name, &answer))
    }

    /// Offers the certificates of a key. An agent signs for those of an RSA key, if it holds them:
    /// russh itself would do that with SHA-1.
    async fn offer_certified(
        &mut self,
        certificates: &[UserCertificate],
        key: &Arc<PrivateKey>,
        agent: Option<&mut Agent>,
    ) -> Result<bool, HostError> {
        if key.algorithm().is_rsa()
            && let Some(agent) = agent
        {
            let key = key.public_key();
            return self.offer_certified_held(certificates, key, agent).await;
        }
        let of_key = certificates
            .iter()
            .filter(|one| one.is_of(key.public_key()));
        for UserCertificate { name, certificate } in of_key {
            if key.algorithm().is_rsa() {
                self.notes.push(format!(
                    "{name} is of an RSA key, which is used through an agent only (ssh-add)"
                ));
                continue;
            }
            let (key, certificate) = (Arc::clone(key), certificate.clone());
            let answer = self
                .handle
                .authenticate_openssh_cert(&self.target.user, key, certificate)
                .await
                .map_err(|error| self.cut(&error))?;
            if self.note(name, &answer) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Offers the certificates of a key that an agent holds. It signs for those only that it holds
    /// itself.
    async fn offer_certified_held(
        &mut self,
        certificates: &[UserCertificate],
        key: &PublicKey,
        agent: &mut Agent,
    ) -> Result<bool, HostError> {
        let held = agent.take_certificates(Some(key));
        let is_held = |one: &UserCertificate| held.iter().any(|(held, _)| *held == one.certificate);
        for one in certificates
            .iter()
            .filter(|one| one.is_of(key) && !is_held(one))
        {
            let name = &one.name;
            self.notes.push(format!(
                "the agent does not hold {name} (ssh-add takes what is named KEY-cert.pub beside KEY)"
            ));
        }
        self.offer_certificates(held, agent).await
    }

    /// Offers certificates that an agent holds.
    async fn offer_certificates(
        &mut self,
        held: Vec<(Certificate, String)>,
        agent: &mut Agent,
    ) -> Result<bool, HostError> {
        for (certificate, comment) in held {
            let name = format!("the certificate {comment:?} of the agent");
            let key = PublicKey::from(certificate.public_key().clone());
            let Ok(hash) = self.hash_for(&name, &key).await? else {
                continue;
            };
            let client = &mut agent.client;
            let answer = self
                .handle
                .authenticate_certificate_with(&self.target.user, certificate, hash, client)
                .await;
            if self.is_taken(&name, answer)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    async fn offer_held(
        &mut self,
        name: &str,
        key: PublicKey,
        agent: &mut Agent,
    ) -> Result<bool, HostError> {
        let Ok(hash) = self.hash_for(name, &key).await? else {
            return Ok(false);
        };
        let client = &mut agent.client;
        let answer = self
            .handle
            .authenticate_publickey_with(&self.target.user, key, hash, client)
            .await;
        self.is_taken(name, answer)
    }

    fn is_taken(
        &mut self,
        name: &str,
        answer: Result<AuthResult, impl ToString>,
    ) -> Result<bool, HostError> {
        match answer {
            Ok(answer) => Ok(self.note(name, &answer)),
            Err(error) if self.handle.is_closed() => Err(self.cut(&error)),
            // An agent may want a confirmation that nobody gave.
            Err(error) => {
                let error = error.to_string();
                self.notes
                    .push(format!("{name}: the agent does not sign with it: {error}"));
                Ok(false)
            }
        }
    }

    /// Notes that a key is needed which nobody here holds.
    fn note_unheld(&mut self, name: &str, why: &str) {
        let remedy = "and no agent holds it (ssh-add, and SSH_AUTH_SOCK or IdentityAgent)";
        self.notes.push(format!("{name} {why}, {remedy}"));
    }

    /// The hash to sign with, which only RSA has. The inner error: the server takes none of ours.
    async fn hash_for(
        &mut self,
        name: &str,
        key: &PublicKey,
    ) -> Result<Result<Option<HashAlg>, ()>, HostError> {
        if !key.algorithm().is_rsa() {
            return Ok(Ok(None));
        }
        match self.handle.best_supported_rsa_hash().await {
            Ok(Some(Some(hash))) => Ok(Ok(Some(hash))),
            // The server does not say: SHA-512 is what every server of this decade takes.
            Ok(None) => Ok(Ok(Some(HashAlg::Sha512))),
            Ok(Some(None)) => {
                self.notes.push(format!(
                    "{name} is RSA, and the server takes that with SHA-1 only"
                ));
                Ok(Err(()))
            }
            Err(error) => Err(self.cut(&error)),
        }
    }

    fn note(&mut self, name: &str, answer: &AuthResult) -> bool {
        match answer {
            AuthResult::Success => return true,
            AuthResult::Failure {
                partial_success: true,
                ..
            } => self.notes.push(format!(
                "{name} is accepted, but the server wants more than a key"
            )),
            AuthResult::Failure { .. } => {
                self.refused = true;
                self.notes
                    .push(format!("{name} is not accepted for {}", self.target.user));
            }
        }
        false
    }

    /// A server may also refuse by ending the connection (sshd_config(5), MaxAuthTries); before the
    /// first refusal a cut connection is only that.
    fn cut(&mut self, error: &impl ToString) -> HostError {
        let error = error.to_string();
        if self.refused {
            self.notes
                .push(format!("then the server ended the connection: {error}"));
            return self.refused();
        }
        self.target
            .unreachable(format!("the connection was lost while logging in: {error}"))
    }

    fn refused(&self) -> HostError {
        let cause = if self.notes.is_empty() {
            "there is no key to log in with".to_owned()
        } else {
            self.notes.join("; ")
        };
        let remedy = "; ssh.identity_files names the keys";
        let cause = match self.refused {
            true => cause,
            false => format!("no key was offered: {cause}{remedy}"),
        };
        HostError::AuthenticationRefused {
            address: self.target.host_address(),
            cause,
        }
    }
}

/// An agent, with what it holds and was not offered yet.
struct Agent {
    client: AgentClient<UnixStream>,
    keys: Vec<(PublicKey, String)>,
    certificates: Vec<(Certificate, String)>,
}

impl Agent {
    async fn open(target: &Target, notes: &mut Vec<String>) -> Option<Self> {
        let socket = target.agent.as_ref()?;
        match Self::ask(socket).await {
            Ok(agent) => Some(agent),
            Err(error) => {
                let socket = socket.display();
                notes.push(format!("the agent at {socket} cannot be asked: {error}"));
                None
            }
        }
    }

    async fn ask(socket: &PathBuf) -> Result<Self, russh::keys::Error> {
        let mut client = AgentClient::connect_uds(socket).await?;
        let (mut keys, mut certificates) = (Vec::new(), Vec::new());
        for held in client.request_identities().await? {
            match held {
                AgentIdentity::PublicKey { key, comment } => keys.push((key, comment)),
                AgentIdentity::Certificate {
                    certificate,
                    comment,
                } => certificates.push((certificate, comment)),
            }
        }
        Ok(Self {
            client,
            keys,
            certificates,
        })
    }

    /// Takes the certificates of a key, or all, out of those that are still to be offered.
    fn take_certificates(&mut self, of: Option<&PublicKey>) -> Vec<(Certificate, String)> {
        let all = std::mem::take(&mut self.certificates).into_iter();
        let is_wanted = |certificate: &Certificate| {
            of.is_none_or(|key| certificate.public_key() == key.key_data())
        };
        let (taken, left) = all.partition(|(certificate, _)| is_wanted(certificate));
        self.certificates = left;
        taken
    }

    /// Takes a key out of those that are still to be offered. Whether the agent holds it.
    fn take(&mut self, wanted: &PublicKey) -> bool {
        let before = self.keys.len();
        self.keys
            .retain(|(key, _)| key.key_data() != wanted.key_data());
        self.keys.len() < before
    }
}
