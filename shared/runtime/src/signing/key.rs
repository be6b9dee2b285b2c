//! The keys of a builder, as its gpg lists them. Pure.

use gentoo_updater_fleet::fingerprint::Fingerprint;
use serde::{Deserialize, Serialize};

/// What a key is good for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// It signs.
    InUse,
    /// It does not sign any more, and what it signed counts.
    Former,
    /// Its time is over, and with it that of what it signed.
    Expired,
    /// It was revoked: nothing that it signed counts.
    Revoked,
}

impl State {
    /// In a word or two.
    pub fn words(self) -> &'static str {
        match self {
            Self::InUse => "in use",
            Self::Former => "former",
            Self::Expired => "expired",
            Self::Revoked => "revoked",
        }
    }

    /// Whether guests that know the key take what it signed.
    pub fn counts(self) -> bool {
        matches!(self, Self::InUse | Self::Former)
    }
}

/// A key that signs binaries, or did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Key {
    /// Which it is.
    pub fingerprint: Fingerprint,
    /// Whose it is, as gpg shows it.
    pub name: String,
    /// When it was made, in seconds since 1970.
    pub created: u64,
    /// When its time is over; never where it is absent.
    pub expires: Option<u64>,
    /// What it is good for.
    pub state: State,
}

impl Key {
    /// Reads gpg's list of secret keys (its `doc/DETAILS`, "Format of the colon listings"), and the
    /// line `use FINGERPRINT` behind it. `now` is in seconds since 1970.
    ///
    /// # Errors
    /// The line that is not understood.
    pub(super) fn list(text: &str, now: u64) -> Result<Vec<Self>, String> {
        let in_use = text.lines().find_map(|line| line.strip_prefix("use "));
        let mut keys: Vec<Self> = Vec::new();
        // What is listed behind a primary key belongs to it: of its fingerprints the first is its own.
        let mut begun: Option<(State, u64, Option<u64>)> = None;
        for line in text.lines() {
            let fields: Vec<&str> = line.split(':').collect();
            let unclear = || format!("gpg lists {line:?}");
            match fields[..] {
                ["sec", validity, _, _, _, created, expires, ..] => {
                    let expires = match expires {
                        "" => None,
                        text => Some(text.parse().map_err(|_| unclear())?),
                    };
                    let state = match validity {
                        "r" => State::Revoked,
                        "e" => State::Expired,
                        _ if expires.is_some_and(|end| end <= now) => State::Expired,
                        _ => State::Former,
                    };
                    begun = Some((state, created.parse().map_err(|_| unclear())?, expires));
                }
                ["fpr", _, _, _, _, _, _, _, _, fingerprint, ..] => {
                    if let Some((state, created, expires)) = begun.take() {
                        let fingerprint: Fingerprint =
                            fingerprint.parse().map_err(|_| unclear())?;
                        let is_used = in_use == Some(fingerprint.as_str());
                        let state = if state == State::Former && is_used {
                            State::InUse
                        } else {
                            state
                        };
                        keys.push(Self {
                            fingerprint,
                            name: String::new(),
                            created,
                            expires,
                            state,
                        });
                    }
                }
                ["uid", _, _, _, _, _, _, _, _, name, ..] => {
                    if let Some(key) = keys.last_mut().filter(|key| key.name.is_empty()) {
                        key.name = name.to_owned();
                    }
                }
                _ => {}
            }
        }
        Ok(keys)
    }

    /// The last second at which it was good, where its time is over.
    pub fn last_second(&self) -> Option<u64> {
        let expires = self.expires.filter(|_| self.state == State::Expired);
        expires.map(|end| end.saturating_sub(1))
    }

    /// For how many whole days it is good; absent where it never ends.
    pub fn days_left(&self, now: u64) -> Option<u64> {
        self.expires
            .map(|end| end.saturating_sub(now) / (24 * 3600))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As gpg 2.2.40 prints it.
    const LIST: &str = "\
sec:u:255:22:63136F93CB577C76:1795785940:1858857940::u:::scSC:::+::ed25519:::0:
fpr:::::::::39BB337317CC843D42E1BF6263136F93CB577C76:
grp:::::::::A8614DF57D452A2EEE0A9ACD7EE31AC92E5EE872:
uid:u::::1795785940::C1FF83DF8C6D4F58B0F5D9A58B46A3421C22E6DF::gentoo-updater b1::::::::::0:
sec:r:255:22:03AA3E329E28E704:1795786071:::u:::sc:::+::ed25519:::0:
fpr:::::::::4D8EDC2281DA28DAD05655D203AA3E329E28E704:
uid:r::::1795786071::AA::gentoo-updater b1::::::::::0:
sec:u:255:22:DB3D8166EFE5A6F1:1767225600:::u:::sc:::+::ed25519:::0:
fpr:::::::::2442DC6C903CD7935F8B612FDB3D8166EFE5A6F1:
uid:u::::1767225600::AB::gentoo-updater b1::::::::::0:
ssb:u:255:22:1111111111111111:1767225600:::::::::::+::ed25519:::
fpr:::::::::0000000000000000000000000000000000000000:
use 39BB337317CC843D42E1BF6263136F93CB577C76
";

    #[test]
    fn each_key_is_listed_once_with_what_it_is_good_for() {
        let keys = Key::list(LIST, 1_800_000_000).unwrap();
        let states: Vec<State> = keys.iter().map(|key| key.state).collect();
        assert_eq!(states, [State::InUse, State::Revoked, State::Former]);
        assert!(keys.iter().all(|key| key.name == "gentoo-updater b1"));
        assert_eq!(keys[0].days_left(1_858_857_940 - 3 * 86_400), Some(3));
        assert_eq!(keys[2].days_left(0), None);
        let later = Key::list(LIST, 1_858_857_940).unwrap();
        assert_eq!(later[0].state, State::Expired, "used or not");
        assert_eq!(Key::list("", 0), Ok(Vec::new()));
    }

    #[test]
    fn a_line_that_is_not_understood_is_an_error() {
        let text = LIST.replace("1795785940:1858857940", "soon:1858857940");
        assert!(Key::list(&text, 0).unwrap_err().contains("soon"));
        let text = LIST.replace("39BB337317CC843D42E1BF6263136F93CB577C76:", "39BB:");
        assert!(Key::list(&text, 0).unwrap_err().contains("39BB"));
    }
}
