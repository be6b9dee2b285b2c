//! What is shown of keys: as JSON, and as text. Pure.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use gentoo_updater_fleet::fingerprint::Fingerprint;
use gentoo_updater_fleet::name::{BuilderName, PlatformName};
use gentoo_updater_fleet::words::counted;
use gentoo_updater_runtime::signing::{Key, State, VERIFY_HOME};
use jiff::Timestamp;
use serde::Serialize;

use crate::output;

/// How many days before its end a key is warned of.
pub(super) const SOON: u64 = 30;

/// The document of `store keys list --json`.
#[derive(Debug, Default, Serialize)]
pub(super) struct KeysDocument {
    /// The keys.
    pub(super) keys: Vec<KeyView>,
    /// Why nothing can be said of other builders.
    pub(super) failed: BTreeMap<BuilderName, String>,
}

/// A key of a builder.
#[derive(Debug, Serialize)]
pub(super) struct KeyView {
    pub(super) platform: PlatformName,
    pub(super) builder: BuilderName,
    #[serde(flatten)]
    pub(super) key: Key,
    /// For how many days it is good yet; absent where it never ends.
    pub(super) days_left: Option<u64>,
}

impl KeysDocument {
    /// A table, the builders without a key included.
    pub(super) fn to_text(&self, without: &[BuilderName]) -> String {
        let header = ["BUILDER", "PLATFORM", "KEY", "STATE", "MADE", "GOOD UNTIL"];
        let mut rows = vec![header.map(str::to_owned)];
        rows.extend(self.keys.iter().map(KeyView::row));
        let mut text = String::new();
        if self.keys.is_empty() {
            text.push_str("No builder that could be asked has a key.\n");
        } else {
            text.push_str(&output::table(&rows));
        }
        for builder in without {
            let _ = writeln!(
                text,
                "{builder} has no key in use: `gentoo-updater store keys init --builder {builder}` \
                 makes one."
            );
        }
        for view in self.keys.iter().filter(|view| view.ends_soon()) {
            let _ = writeln!(
                text,
                "THE KEY OF {} ENDS in {}, and what it signed can be installed no more from then on: \
                 `gentoo-updater store keys rotate --builder {}`.",
                view.builder,
                counted(view.days_left.unwrap_or(0), "day"),
                view.builder
            );
        }
        text
    }
}

impl KeyView {
    fn row(&self) -> [String; 6] {
        let good = match (self.key.expires, self.days_left) {
            (Some(end), Some(days)) if self.key.state != State::Expired => {
                format!("{} ({})", day(end), counted(days, "day"))
            }
            (Some(end), _) => day(end),
            (None, _) => "for ever".to_owned(),
        };
        [
            self.builder.to_string(),
            self.platform.to_string(),
            self.key.fingerprint.to_string(),
            self.key.state.words().to_owned(),
            day(self.key.created),
            good,
        ]
    }

    /// Whether it signs, and will not for long.
    fn ends_soon(&self) -> bool {
        self.key.state == State::InUse && self.days_left.is_some_and(|days| days < SOON)
    }
}

fn day(seconds: u64) -> String {
    let time = i64::try_from(seconds).ok().map(Timestamp::from_second);
    let time = time.and_then(Result::ok);
    time.map_or_else(
        || "?".to_owned(),
        |time| time.strftime("%Y-%m-%d").to_string(),
    )
}

/// The document of `store keys show --json`.
#[derive(Debug, Serialize)]
pub(super) struct PublicDocument {
    /// What guests are to trust.
    pub(super) trusted: Vec<Fingerprint>,
    /// The keys as gpg imports them.
    pub(super) armored: String,
}

impl PublicDocument {
    /// The keys, and what to do with them.
    pub(super) fn to_text(&self) -> String {
        let trust: Vec<String> = self.trusted.iter().map(|key| format!("{key}:6:")).collect();
        format!(
            "{armored}\n\
             Save the above as keys.asc on a guest, and there, as root:\n\n    \
             home={VERIFY_HOME}\n    \
             mkdir -p -m 755 $home\n    \
             gpg --homedir $home --batch --import keys.asc\n    \
             printf '%s\\n' {trust} | gpg --homedir $home --batch --import-ownertrust\n    \
             gpg --homedir $home --batch --check-trustdb\n    \
             gpgconf --homedir $home --kill all\n    \
             chmod a+rx $home; chmod a+r $home/pubring.kbx $home/trustdb.gpg\n\n\
             `gentoo-updater store keys teach GUEST` does all of that. A guest takes what is signed \
             and nothing else once its /etc/portage/make.conf has\n\n    \
             FEATURES=\"${{FEATURES}} binpkg-request-signature\"\n",
            armored = self.armored,
            trust = trust.join(" "),
        )
    }
}
