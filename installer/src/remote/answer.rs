//! What `fetch.py` says, and what it means. Pure.

use gentoo_updater_fleet::message::{Failure, FailureClass};
use serde::Deserialize;

use super::AUTHORITY;

/// The answer of `fetch.py`.
#[derive(Debug, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub(super) enum Answer {
    /// All is there.
    Done { files: u64, bytes: u64 },
    /// The server cannot be reached, or the connection broke again and again.
    Away { what: String, detail: String },
    /// Its certificate is not to be trusted.
    NotTrusted { detail: String },
    /// The guest's Python has no TLS.
    NoTls { detail: String },
    /// The server has no such file.
    Missing { what: String, detail: String },
    /// The server answers something else.
    Refused { what: String, detail: String },
    /// The file is another one than was ordered.
    Differs { what: String, detail: String },
    /// The disk is full.
    Full { what: String, detail: String },
    /// The folder cannot be written.
    NotWritten { what: String, detail: String },
}

/// What was fetched: files and bytes.
///
/// # Errors
/// A failure with the remedy. What may pass by itself is one of the machine; what stays is permanent.
pub(super) fn read(text: &str, url: &str) -> Result<(u64, u64), Failure> {
    use FailureClass::{Machine, Permanent};
    let answer: Answer = serde_json::from_str(text.trim()).map_err(|error| {
        let message = format!("what the guest says of its downloads is not understood: {error}");
        Failure::new(Machine, "GuestNotUnderstood", message)
    })?;
    let (class, cause, message) = match answer {
        Answer::Done { files, bytes } => return Ok((files, bytes)),
        Answer::Away { what, detail } => (
            Machine,
            "StoreUnreachable",
            format!(
                "the guest cannot fetch {what} from {url}: {detail}; does `gentoo-updater store \
                 serve` run there, and does the guest reach it?"
            ),
        ),
        Answer::NotTrusted { detail } => (
            Permanent,
            "StoreNotTrusted",
            format!(
                "the guest does not trust the certificate of {url}: {detail}; name its authority as \
                 url_ca of the platform (it comes to the guest as {AUTHORITY}), and use a name in \
                 url that is in the certificate"
            ),
        ),
        Answer::NoTls { detail } => (
            Permanent,
            "StoreNotTrusted",
            format!(
                "the guest's python3 cannot do TLS ({detail}): build dev-lang/python with USE=ssl"
            ),
        ),
        Answer::Missing { what, detail } => (
            Machine,
            "StoreLacksBinary",
            format!(
                "{url} has no {what} ({detail}); does it serve the store into which builders \
                 publish? A further round, or the next run, builds what is gone from there again"
            ),
        ),
        Answer::Refused { what, detail } => (
            Machine,
            "StoreUnreachable",
            format!(
                "{url} does not give {what}: {detail}; see the log of `gentoo-updater store serve`"
            ),
        ),
        Answer::Differs { what, detail } => (
            Permanent,
            "BinaryCorrupt",
            format!(
                "{what} of {url} is not what was stored: {detail}. A further round, or the next run, \
                 builds it again"
            ),
        ),
        Answer::Full { what, detail } => (
            Permanent,
            "DiskTooFull",
            format!("{what} on the guest is full: {detail}; make room there"),
        ),
        Answer::NotWritten { what, detail } => (
            Machine,
            "DownloadFailed",
            format!("{what} on the guest cannot be used: {detail}"),
        ),
    };
    Err(Failure::new(class, cause, message))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_outcome_is_a_failure_with_its_cause_or_the_numbers() {
        let done = r#"{"outcome": "done", "files": 2, "bytes": 30}"#;
        assert_eq!(read(done, "u").unwrap(), (2, 30));
        for (outcome, class, cause) in [
            ("away", FailureClass::Machine, "StoreUnreachable"),
            ("not_trusted", FailureClass::Permanent, "StoreNotTrusted"),
            ("no_tls", FailureClass::Permanent, "StoreNotTrusted"),
            ("missing", FailureClass::Machine, "StoreLacksBinary"),
            ("refused", FailureClass::Machine, "StoreUnreachable"),
            ("differs", FailureClass::Permanent, "BinaryCorrupt"),
            ("full", FailureClass::Permanent, "DiskTooFull"),
            ("not_written", FailureClass::Machine, "DownloadFailed"),
        ] {
            let text = format!(r#"{{"outcome": "{outcome}", "what": "a/b", "detail": "why"}}"#);
            let failure = read(&text, "https://store/p").unwrap_err();
            assert_eq!((failure.class, failure.cause.as_str()), (class, cause));
            assert!(failure.message.contains("why"), "{}", failure.message);
        }
        assert!(read("", "u").is_err());
        assert!(read(r#"{"outcome": "odd"}"#, "u").is_err());
    }
}
