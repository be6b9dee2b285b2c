//! Who may change something: the token, sessions, and what tells an own request from one that a page of
//! somebody else makes a browser send.

use std::fmt;
use std::io;
use std::net::IpAddr;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use hmac::{Hmac, Mac};
use sha2::Sha256;

use super::sessions::{Failures, LASTS, Sessions};
use crate::DashboardError;

/// How many characters a token has at least: fewer could be guessed.
const SHORTEST: usize = 20;

/// Why a token cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// Its file cannot be read.
    #[error(
        "the token {path} cannot be read: {source}; of a service, `chown root:gentoo-updater {path}` and \
         `chmod 640 {path}` let its group read it"
    )]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Others may read or change it.
    #[error(
        "the token {path} can be read or changed by others; `chmod 600 {path}` keeps it to its owner, and where \
         it is root's `chmod 640 {path}` to its owner and the group of a service"
    )]
    Open {
        /// The file.
        path: PathBuf,
    },
    /// It could be guessed.
    #[error(
        "the token {path} has fewer than {SHORTEST} characters and could be guessed; `openssl rand \
         -hex 32 > {path}` makes one that cannot"
    )]
    Short {
        /// The file.
        path: PathBuf,
    },
}

/// What an operator shows to be let in.
#[derive(Clone)]
pub struct Token(String);

impl Token {
    /// Reads a token: the whole text of a file, without the white space around it. Only its owner may read it,
    /// and where that is root, the group that root has given it to.
    ///
    /// # Errors
    /// [`TokenError`].
    pub fn read(path: &Path) -> Result<Self, TokenError> {
        let unreadable = |source| TokenError::Unreadable {
            path: path.to_owned(),
            source,
        };
        let path_of = || path.to_owned();
        let file = std::fs::metadata(path).map_err(unreadable)?;
        if is_open(file.mode(), file.uid()) {
            return Err(TokenError::Open { path: path_of() });
        }
        let text = std::fs::read_to_string(path).map_err(unreadable)?;
        let token = text.trim();
        if token.chars().count() < SHORTEST {
            return Err(TokenError::Short { path: path_of() });
        }
        Ok(Self(token.to_owned()))
    }
}

/// Whether others may read or change a file than its owner means. Of root's it is the group of a service; the
/// group that a user's file has by itself may be that of all users.
fn is_open(mode: u32, owner: u32) -> bool {
    let allowed = if owner == 0 { 0o740 } else { 0o700 };
    mode & 0o777 & !allowed != 0
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token")
    }
}

/// Who may change something.
pub(super) struct Access {
    /// A secret of this process, by which it knows what it gave out itself.
    key: [u8; 32],
    token: Option<Token>,
    is_encrypted: bool,
    sessions: Mutex<Sessions>,
    failures: Mutex<Failures>,
}

/// What came of a login.
pub(super) enum Login {
    /// The name of the session.
    In(String),
    Wrong,
    /// It is wrong, and too many were.
    Wait(Duration),
}

impl Access {
    pub(super) fn new(token: Option<Token>, is_encrypted: bool) -> Result<Self, DashboardError> {
        Ok(Self {
            key: random()?,
            token,
            is_encrypted,
            sessions: Mutex::default(),
            failures: Mutex::default(),
        })
    }

    /// Whether anybody may ever change something.
    pub(super) fn is_writable(&self) -> bool {
        self.token.is_some()
    }

    /// Compares a token with the right one, in a time that says nothing of how much of it is right.
    ///
    /// The right one is let in whoever has failed before: behind a proxy all have one address, and nobody is
    /// to lock the others out. Guesses gain nothing by that, there are too many tokens of [`SHORTEST`]
    /// characters; what is slowed down are the answers to them.
    pub(super) fn log_in(
        &self,
        token: &str,
        address: IpAddr,
        now: Instant,
    ) -> Result<Login, DashboardError> {
        let own = self.token.as_ref().map(|own| self.seal("token", &own.0));
        if own.is_some_and(|own| self.is_sealed("token", token, &own)) {
            let name = hexadecimal(&random::<32>()?);
            self.sessions().begin(name.clone(), now);
            return Ok(Login::In(name));
        }
        let mut failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(wait) = failures.wait(address, now) {
            return Ok(Login::Wait(wait));
        }
        failures.note(address, now);
        Ok(Login::Wrong)
    }

    pub(super) fn is_in(&self, session: &str, now: Instant) -> bool {
        self.sessions().has(session, now)
    }

    pub(super) fn log_out(&self, session: &str) {
        self.sessions().end(session);
    }

    /// What a page must send along with everything that changes something: only a page of this server can
    /// have read it. It belongs to the cookie.
    pub(super) fn proof(&self, cookie: &str) -> String {
        hexadecimal(&self.seal("page", cookie))
    }

    pub(super) fn is_proof(&self, cookie: &str, proof: &str) -> bool {
        let bytes = bytes(proof);
        !cookie.is_empty() && bytes.is_some_and(|bytes| self.is_sealed("page", cookie, &bytes))
    }

    /// The name of a visitor who has not logged in.
    pub(super) fn visitor() -> Result<String, DashboardError> {
        Ok(hexadecimal(&random::<16>()?))
    }

    /// The cookie's name. A browser lets nobody but this server set the one that is encrypted.
    pub(super) fn cookie(&self) -> &'static str {
        match self.is_encrypted {
            true => "__Host-gentoo-updater",
            false => "gentoo-updater",
        }
    }

    /// A cookie with this value, as it is set.
    pub(super) fn set_cookie(&self, value: &str) -> String {
        let secure = if self.is_encrypted { "; Secure" } else { "" };
        let (name, lasts) = (self.cookie(), LASTS.as_secs());
        format!("{name}={value}; Path=/; Max-Age={lasts}; HttpOnly; SameSite=Strict{secure}")
    }

    fn sessions(&self) -> MutexGuard<'_, Sessions> {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn mac(&self, purpose: &str, text: &str) -> Option<Hmac<Sha256>> {
        // A key of any length is taken.
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.key).ok()?;
        mac.update(purpose.as_bytes());
        mac.update(b"\n");
        mac.update(text.as_bytes());
        Some(mac)
    }

    fn seal(&self, purpose: &str, text: &str) -> Vec<u8> {
        let mac = self.mac(purpose, text);
        mac.map(|mac| mac.finalize().into_bytes().to_vec())
            .unwrap_or_default()
    }

    /// In a time that does not depend on where the two differ.
    fn is_sealed(&self, purpose: &str, text: &str, seal: &[u8]) -> bool {
        let mac = self.mac(purpose, text);
        mac.is_some_and(|mac| mac.verify_slice(seal).is_ok())
    }
}

pub(super) fn random<const LENGTH: usize>() -> Result<[u8; LENGTH], DashboardError> {
    let mut bytes = [0; LENGTH];
    getrandom::fill(&mut bytes).map_err(|error| DashboardError::Random(error.to_string()))?;
    Ok(bytes)
}

pub(super) fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn bytes(text: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<u8>> = text
        .chars()
        .map(|c| c.to_digit(16).and_then(|digit| u8::try_from(digit).ok()))
        .collect();
    let digits = digits.filter(|digits| digits.len() % 2 == 0)?;
    Some(
        digits
            .chunks(2)
            .map(|pair| pair[0] << 4 | pair[1])
            .collect(),
    )
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use tempfile::TempDir;

    use super::*;

    fn access() -> Access {
        let token = Token("0123456789abcdef0123456789abcdef".to_owned());
        Access::new(Some(token), true).unwrap()
    }

    #[test]
    fn only_the_whole_token_opens_a_session_which_ends_with_the_logout() {
        let (access, now) = (access(), Instant::now());
        let address = [127, 0, 0, 1].into();
        for wrong in [
            "",
            "0123456789abcdef0123456789abcde",
            "0123456789abcdef0123456789abcdef0",
        ] {
            assert!(
                matches!(access.log_in(wrong, address, now).unwrap(), Login::Wrong),
                "{wrong}"
            );
        }
        let right = access
            .log_in("0123456789abcdef0123456789abcdef", address, now)
            .unwrap();
        let Login::In(session) = right else {
            panic!("the token is right");
        };
        assert!(access.is_in(&session, now) && !access.is_in("", now));
        access.log_out(&session);
        assert!(!access.is_in(&session, now));
    }

    #[test]
    fn without_a_token_nobody_is_let_in() {
        let access = Access::new(None, false).unwrap();
        assert!(!access.is_writable());
        let login = access.log_in("", [127, 0, 0, 1].into(), Instant::now());
        assert!(matches!(login.unwrap(), Login::Wrong));
    }

    #[test]
    fn the_proof_of_one_cookie_is_none_of_another_and_none_of_another_server() {
        let access = access();
        let proof = access.proof("a");
        assert!(access.is_proof("a", &proof));
        for (cookie, proof) in [
            ("b", proof.as_str()),
            ("a", ""),
            ("a", "zz"),
            ("", &access.proof("")),
        ] {
            assert!(!access.is_proof(cookie, proof), "{cookie} {proof}");
        }
        assert!(!super::tests::access().is_proof("a", &proof));
    }

    #[test]
    fn a_token_of_root_may_be_read_by_the_group_of_a_service_and_changed_by_nobody_else() {
        let (root, user) = (0, 1000);
        for (mode, owner) in [(0o600, root), (0o640, root), (0o440, root), (0o600, user)] {
            assert!(!is_open(0o100_000 | mode, owner), "{mode:o} of {owner}");
        }
        for (mode, owner) in [
            (0o660, root),
            (0o644, root),
            (0o641, root),
            (0o602, root),
            (0o640, user),
            (0o604, user),
        ] {
            assert!(is_open(0o100_000 | mode, owner), "{mode:o} of {owner}");
        }
    }

    #[test]
    fn a_token_that_others_may_read_or_that_is_short_is_refused_with_the_remedy() {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("token");
        let said = |text: &str, mode: u32| {
            std::fs::write(&path, text).unwrap();
            std::fs::set_permissions(&path, PermissionsExt::from_mode(mode)).unwrap();
            Token::read(&path).err().map(|error| error.to_string())
        };
        assert!(said("x", 0o600).unwrap().contains("openssl rand"));
        assert!(said(&"x".repeat(32), 0o644).unwrap().contains("chmod 600"));
        assert_eq!(said(&format!("{}\n", "x".repeat(32)), 0o600), None);
        std::fs::remove_file(&path).unwrap();
        assert!(
            Token::read(&path)
                .unwrap_err()
                .to_string()
                .contains("cannot be read")
        );
    }
}
