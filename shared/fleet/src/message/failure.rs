//! What went wrong, and what an administrator should know.

use serde::{Deserialize, Serialize};

use crate::needs::Kind;

/// What a failure means for the next attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum FailureClass {
    /// It may go away by itself (a dropped connection): tried again after a growing delay.
    Transient,
    /// It will not go away by itself (a compile error, a changed host key): reported once.
    Permanent,
    /// The worker's machine is unfit (disk full, store unreachable): the package is not to blame.
    Machine,
}

/// Why something could not be done, in words that lead to the remedy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{message}")]
pub struct Failure {
    /// What it means for the next attempt.
    pub class: FailureClass,
    /// A stable name of the cause for programs, for example `HostKeyChanged`.
    pub cause: String,
    /// One or two sentences for people: what happened and what to do.
    pub message: String,
    /// The last lines of the log that tells about it; empty where there is none.
    #[serde(default)]
    pub log_tail: Vec<String>,
    /// Where the whole log is, as `machine:path`.
    #[serde(default)]
    pub log_path: Option<String>,
}

impl Failure {
    /// A failure without a log.
    pub fn new(class: FailureClass, cause: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            class,
            cause: cause.into(),
            message: message.into(),
            log_tail: Vec::new(),
            log_path: None,
        }
    }

    /// Whether it speaks against the machine that was worked on, and not against the work: on
    /// another machine the same work may go well.
    pub fn is_of_machine(&self) -> bool {
        self.class == FailureClass::Machine
            || self.cause.starts_with("HostKey")
            || matches!(
                self.cause.as_str(),
                "Unreachable" | "ConnectionLost" | "AuthenticationRefused"
            )
    }

    /// Whether a binary of the store was gone, or had other content than when it was stored. The
    /// builder that looks it up the next time sees that, and builds it again.
    pub fn is_of_stored_binary(&self) -> bool {
        matches!(self.cause.as_str(), "BinaryCorrupt" | "StoreLacksBinary")
    }

    /// What the machine of a build had too little of, if that is why it failed.
    pub fn lacked(&self) -> Option<Kind> {
        match self.cause.as_str() {
            "BuildKilled" => Some(Kind::Memory),
            "DiskFull" => Some(Kind::Disk),
            _ => None,
        }
    }

    /// Whether the work was ended because it took longer than it may.
    pub fn is_time_out(&self) -> bool {
        self.cause == "TimedOut"
    }

    /// The same failure, which tells of another one as well: its words, and its log where this has none.
    #[must_use]
    pub fn and(self, other: &Self) -> Self {
        let mut both = self.and_that(&other.message);
        if both.log_path.is_none() {
            both.log_tail.clone_from(&other.log_tail);
            both.log_path.clone_from(&other.log_path);
        }
        both
    }

    /// The same failure, which says this as well.
    #[must_use]
    pub fn and_that(mut self, words: &str) -> Self {
        self.message.push_str("; ");
        self.message.push_str(words);
        self
    }

    /// The same failure with the end of its log.
    #[must_use]
    pub fn with_log(mut self, tail: Vec<String>, path: impl Into<String>) -> Self {
        self.log_tail = tail;
        self.log_path = Some(path.into());
        self
    }
}

/// Something that does not stop an update and that an administrator should know.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Finding {
    /// What kind of thing it is.
    pub kind: FindingKind,
    /// The finding in words.
    pub text: String,
    /// What it is about, so that equal findings of many guests can be summed: the path of a file or
    /// a library, or the name of a service, a program or a news item. What kind of thing it is says
    /// `kind`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// What is too long for a summary, line by line: the difference of a configuration file, the
    /// processes of a service. Whoever makes a finding bounds it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub details: Vec<String>,
}

impl Finding {
    /// A finding in one line, whatever lines and stars the text came with.
    pub fn new(kind: FindingKind, text: &str) -> Self {
        let words: Vec<&str> = text
            .split_whitespace()
            .filter(|word| *word != "*")
            .collect();
        Self {
            kind,
            text: words.join(" "),
            subject: None,
            details: Vec::new(),
        }
    }

    /// The same finding about this thing.
    #[must_use]
    pub fn about(mut self, subject: impl Into<String>) -> Self {
        self.subject = Some(subject.into());
        self
    }

    /// The same finding with these lines behind it.
    #[must_use]
    pub fn with_details(mut self, details: Vec<String>) -> Self {
        self.details = details;
        self
    }
}

/// The kinds of findings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[non_exhaustive]
pub enum FindingKind {
    /// A package of the world file is installed, and its ebuild is gone.
    WorldAtomWithoutEbuild,
    /// Portage left an update out because of a conflict.
    UpdateSkipped,
    /// A configuration file waits for `dispatch-conf` or `etc-update`. The subject is its path, the
    /// details are the difference.
    ConfigurationPending,
    /// News items are unread. The subject, where there is one, is the name of one item.
    NewsUnread,
    /// A check failed before an update already. The subject is its name.
    CheckFailed,
    /// An installed package is masked.
    InstalledMasked,
    /// A binary in the store did not have the content that it was stored with.
    CorruptBinary,
    /// What a guest still wants after its update.
    StillPending,
    /// A service runs on programs or libraries that were deleted or replaced. The subject is its
    /// name, or `init` for the first process.
    ServiceOutdated,
    /// Such a service was restarted, as the policy wants it, and runs on what is installed now.
    ServiceRestarted,
    /// The restart of such a service did not go well.
    ServiceRestartFailed,
    /// Such a process that belongs to no service: a login, or something that was started by hand.
    /// The subject is the program's name.
    ProcessOutdated,
    /// A library of a package that is gone was kept because something needs it. The subject is its
    /// path.
    LibraryPreserved,
    /// Nothing needs some packages any more. The details are their names; the subject is
    /// `depclean`.
    Unneeded,
    /// Binaries are compiled otherwise than the guest would do it. The subject is its platform.
    PlatformDiffers,
    /// An ebuild repository is at another revision than that which the run goes by. The subject is
    /// its name.
    RepositoryDiffers,
    /// A newer kernel is installed than the one that runs. The subject is `kernel`.
    RebootNeeded,
    /// Anything else that Portage said.
    Other,
}
