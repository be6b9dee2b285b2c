//! What went wrong: faults that pass, and those that do not.

use std::time::Duration;

use lapin::ErrorKind;
use lapin::types::ShortString;
use uuid::Uuid;

use crate::seam::BusError;

/// Reply codes of AMQP 0-9-1, <https://www.rabbitmq.com/amqp-0-9-1-reference#constants>.
pub(super) const ACCESS_REFUSED: u16 = 403;
pub(super) const NOT_FOUND: u16 = 404;
pub(super) const RESOURCE_LOCKED: u16 = 405;
pub(super) const PRECONDITION_FAILED: u16 = 406;
pub(super) const FRAME_ERROR: u16 = 501;
const NOT_ALLOWED: u16 = 530;

/// What went wrong in one try.
#[derive(Debug)]
pub(super) enum Fault {
    /// It may be better in the next try, on a new channel or connection.
    Passing(String),
    /// A queue or an exchange is not there: it is declared before the next try.
    Missing(String),
    /// No queue takes a message: one is declared before the next try.
    Unroutable(String),
    /// It would be the same in every try.
    Fatal(BusError),
}

impl From<lapin::Error> for Fault {
    fn from(error: lapin::Error) -> Self {
        let detail = error.to_string();
        match reply_code(&error) {
            Some(ACCESS_REFUSED) => {
                let detail = reply_text(&error).unwrap_or(detail);
                Self::Fatal(BusError::AccessRefused { detail })
            }
            Some(NOT_FOUND) => Self::Missing(detail),
            // What rustls says; lapin passes it on as an I/O error like any other.
            None if detail.contains("invalid peer certificate") => {
                Self::Fatal(BusError::Untrusted { detail })
            }
            None if detail.contains("InvalidContentType") => Self::Passing(format!(
                "{detail}; what answers there does not speak TLS: is it the port of amqp://?"
            )),
            _ => Self::Passing(detail),
        }
    }
}

impl Fault {
    /// What went wrong while a user was logging in.
    pub(super) fn of_login(error: lapin::Error, user: &str) -> Self {
        let (user, detail) = (user.to_owned(), reply_text(&error).unwrap_or_default());
        match reply_code(&error) {
            Some(ACCESS_REFUSED) => Self::Fatal(BusError::LoginRefused { user }),
            Some(NOT_ALLOWED) if is_of_vhost(&detail) => {
                Self::Fatal(BusError::VhostRefused { user, detail })
            }
            _ => error.into(),
        }
    }

    /// That something took too long.
    pub(super) fn slow(what: &str, limit: Duration) -> Self {
        Self::Passing(format!("{what} took more than {} s", limit.as_secs()))
    }

    /// What to say of it, unless it is fatal.
    pub(super) fn passing(self) -> Result<String, BusError> {
        match self {
            Self::Passing(detail) | Self::Missing(detail) | Self::Unroutable(detail) => Ok(detail),
            Self::Fatal(error) => Err(error),
        }
    }
}

/// The reply code, if the broker sent one.
pub(super) fn reply_code(error: &lapin::Error) -> Option<u16> {
    match error.kind() {
        ErrorKind::ProtocolError(error) => Some(error.get_id()),
        _ => None,
    }
}

/// What the broker said, without the name of the reply code that it begins with.
fn reply_text(error: &lapin::Error) -> Option<String> {
    let ErrorKind::ProtocolError(error) = error.kind() else {
        return None;
    };
    let text = error.get_message().as_str();
    let text = text.split_once(" - ").map_or(text, |(_, text)| text);
    Some(text.to_owned())
}

/// Whether the vhost is not there or is closed to this user. Other things pass that are not allowed:
/// a limit that is reached, or a vhost that is down, stand behind the name of the user.
fn is_of_vhost(detail: &str) -> bool {
    let is_closed = detail.contains("refused for user") && !detail.contains("': ");
    detail.ends_with("not found") || is_closed
}

/// A text as AMQP knows it, at most 255 bytes.
pub(super) fn short(text: &str) -> Result<ShortString, Fault> {
    ShortString::try_new(text).map_err(|_| {
        let detail = format!("{text:?} is longer than AMQP allows");
        Fault::Fatal(BusError::AccessRefused { detail })
    })
}

/// The pause before the next try: it doubles up to a limit, and is jittered so that a whole
/// fleet does not come back to a restarted broker at once.
#[derive(Debug, Default)]
pub(super) struct Pause {
    failures: u32,
}

impl Pause {
    const FIRST: Duration = Duration::from_millis(250);
    const LONGEST: Duration = Duration::from_secs(8);

    /// The next pause.
    pub(super) fn next(&mut self) -> Duration {
        let randomness = Uuid::now_v7().as_bytes()[15];
        let pause = Self::after(self.failures, f64::from(randomness) / 255.0);
        self.failures = self.failures.saturating_add(1);
        pause
    }

    /// After a success the pauses begin anew.
    pub(super) fn reset(&mut self) {
        self.failures = 0;
    }

    /// Between half and the whole of the doubled pause; `jitter` is from 0 to 1.
    fn after(failures: u32, jitter: f64) -> Duration {
        let whole = Self::FIRST * 2_u32.saturating_pow(failures.min(16));
        whole.min(Self::LONGEST).mul_f64(0.5 + jitter / 2.0)
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use lapin::protocol::{AMQPError, AMQPErrorKind, AMQPHardError};

    use super::*;

    #[test]
    fn a_certificate_that_is_not_trusted_is_no_fault_that_passes() {
        let error = io::Error::other("invalid peer certificate: UnknownIssuer");
        let fault = Fault::from(lapin::Error::from(error));
        assert!(
            matches!(fault, Fault::Fatal(BusError::Untrusted { .. })),
            "{fault:?}"
        );
        let fault = Fault::from(lapin::Error::from(io::Error::other("connection reset")));
        assert!(matches!(fault, Fault::Passing(_)), "{fault:?}");
    }

    #[test]
    fn a_port_that_does_not_speak_tls_is_named_as_such() {
        let error = io::Error::other("received corrupt message of type InvalidContentType");
        let cause = Fault::from(lapin::Error::from(error)).passing().unwrap();
        assert!(cause.contains("does not speak TLS"), "{cause}");
    }

    #[test]
    fn a_closed_vhost_is_no_fault_that_passes_and_a_limit_that_is_reached_is() {
        let not_allowed = |text: &str| {
            let text = format!("NOT_ALLOWED - {text}");
            let kind = AMQPErrorKind::Hard(AMQPHardError::NOTALLOWED);
            let error = AMQPError::new(kind, text.into());
            Fault::of_login(ErrorKind::ProtocolError(error).into(), "u")
        };
        for detail in [
            "vhost v not found",
            "access to vhost 'v' refused for user 'u'",
        ] {
            let Fault::Fatal(BusError::VhostRefused { user, detail: told }) = not_allowed(detail)
            else {
                panic!("{detail} passes");
            };
            assert_eq!((user.as_str(), told.as_str()), ("u", detail));
        }
        for detail in [
            "access to vhost 'v' refused for user 'u': connection limit (1) is reached",
            "access to vhost 'v' refused for user 'u': vhost 'v' is down",
            "connection refused for user 'u': user connection limit (1) is reached",
        ] {
            let fault = not_allowed(detail);
            assert!(matches!(fault, Fault::Passing(_)), "{fault:?}");
        }
    }

    #[test]
    fn pauses_grow_to_a_limit_and_are_jittered() {
        assert_eq!(Pause::after(0, 1.0), Duration::from_millis(250));
        assert_eq!(Pause::after(2, 1.0), Duration::from_secs(1));
        assert_eq!(Pause::after(2, 0.0), Duration::from_millis(500));
        assert_eq!(Pause::after(40, 1.0), Pause::LONGEST);
        let mut pause = Pause::default();
        for _ in 0..100 {
            assert!(pause.next() <= Pause::LONGEST);
        }
    }
}
