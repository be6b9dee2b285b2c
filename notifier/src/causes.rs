//! Why a server was not reached, in words and with what to do.

use std::error::Error;
use std::io::{self, ErrorKind};
use std::iter::successors;

/// What to do about a server that does not answer.
pub(crate) const REACH: &str = "is it up, and are host and port right?";
/// What to do about one that is not trusted.
const TRUST: &str =
    "`ca` names the authority of a certificate that this machine does not trust anyway";
/// What to do about one that answers otherwise than in TLS.
const SPEAK: &str = "does it speak TLS on this port?";

/// An error with its causes. One that says those below it, too, is not followed by them.
pub(crate) fn words(error: &(dyn Error + 'static)) -> String {
    let mut words = String::new();
    for cause in chain(error) {
        let cause = cause.to_string();
        if words.is_empty() {
            words = cause;
        } else if !words.ends_with(&cause) {
            words = format!("{words}: {cause}");
        }
    }
    words
}

/// The innermost cause. Those above it may name a whole address.
pub(crate) fn innermost(error: &(dyn Error + 'static)) -> String {
    chain(error)
        .last()
        .map(ToString::to_string)
        .unwrap_or_default()
}

/// What to do where the way to a server is to blame: `; ` and words, or nothing.
pub(crate) fn remedy(error: &(dyn Error + 'static)) -> String {
    let kind = chain(error).find_map(|error| error.downcast_ref().map(kind_of));
    let is_of_certificate = innermost(error).to_lowercase().contains("certificate");
    match kind {
        Some(ErrorKind::InvalidData) if is_of_certificate => format!("; {TRUST}"),
        Some(ErrorKind::InvalidData) => format!("; {SPEAK}"),
        Some(_) => format!("; {REACH}"),
        None => String::new(),
    }
}

/// Its kind, also where another error of the same type is around it.
fn kind_of(error: &io::Error) -> ErrorKind {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref());
    inner.map_or_else(|| error.kind(), kind_of)
}

/// It and its causes, the innermost last.
fn chain<'e>(error: &'e (dyn Error + 'static)) -> impl Iterator<Item = &'e (dyn Error + 'static)> {
    successors(Some(error), |error| (*error).source())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("no connection: {0}")]
    struct Outer(#[source] io::Error);

    #[test]
    fn nothing_is_said_twice_and_each_fault_of_the_way_has_its_remedy() {
        for (kind, said, expected) in [
            (ErrorKind::ConnectionRefused, "refused", REACH),
            (ErrorKind::InvalidData, "invalid peer certificate", TRUST),
            (ErrorKind::InvalidData, "corrupt message", SPEAK),
        ] {
            let error = Outer(io::Error::new(kind, said));
            assert_eq!(words(&error), format!("no connection: {said}"));
            assert_eq!(innermost(&error), said);
            assert_eq!(remedy(&error), format!("; {expected}"));
        }
        let wrapped = io::Error::other(io::Error::new(ErrorKind::InvalidData, "corrupt"));
        assert_eq!(remedy(&Outer(wrapped)), format!("; {SPEAK}"));
        let answered: Box<dyn Error> = "550 no".into();
        assert_eq!(remedy(&*answered), "");
    }
}
