//! Whether builders can sign, and guests believe them.

use super::machines::answered;
use super::{Answer, Area, Facts, Findings, KeyFacts, Kind, Remedy, Subject};
use crate::config::Settings;
use crate::name::{BuilderName, PlatformName};

/// From how many days on it is told that a key expires.
const SOON_DAYS: u64 = 30;

/// The feature by which a guest takes nothing unsigned (make.conf(5)).
const REQUIRED: &str = "binpkg-request-signature";

pub(super) fn judge(settings: &Settings, facts: &Facts, findings: &mut Findings) {
    for (name, keys) in &facts.keys {
        let subject = Subject::Builder(name.clone());
        findings.looked_at(Area::Stores, &subject);
        builder(&subject, keys, findings);
    }
    for (subject, examined) in answered(facts) {
        let Subject::Guest(_) = subject else { continue };
        if !examined.facts.portage.has_feature(REQUIRED) {
            continue;
        }
        let Some(platform) = subject.platform(settings) else {
            continue;
        };
        let trusted = examined.facts.trusted_keys.as_deref().unwrap_or_default();
        let is_trusted = |key: &KeyFacts| {
            let mut trusted = trusted.iter();
            trusted.any(|it| it.fingerprint == key.fingerprint && !it.is_over)
        };
        if !settings.platforms.get(platform).is_some_and(|it| it.sign) {
            findings.add(
                Kind::SignaturesNeverMade,
                subject,
                format!("its FEATURES name {REQUIRED}, and platform {platform} does not sign"),
                Remedy::new(format!(
                    "have its builders sign (platforms.{platform}.sign = true, after this), or remove \
                     the feature from make.conf of the guest"
                ))
                .by("gentoo-updater store keys init"),
            );
            continue;
        }
        for (name, key) in in_use(settings, facts, platform) {
            if !is_trusted(key) {
                findings.add(
                    Kind::SigningKeyUnknown,
                    subject,
                    format!(
                        "it does not know the key {} of builder {name}, or not as a good one",
                        key.fingerprint
                    ),
                    Remedy::new("teach it the keys of its builders").by(format!(
                        "gentoo-updater store keys teach {}",
                        subject.name()
                    )),
                );
            }
        }
    }
}

/// The keys with which the builders of a platform sign.
fn in_use<'a>(
    settings: &'a Settings,
    facts: &'a Facts,
    platform: &'a PlatformName,
) -> impl Iterator<Item = (&'a BuilderName, &'a KeyFacts)> {
    let keys = facts.keys.iter().filter(move |(name, _)| {
        let builder = settings.builders.get(*name);
        builder.is_some_and(|builder| builder.platform == *platform)
    });
    keys.flat_map(|(name, keys)| {
        let keys = keys.as_ref().ok().into_iter().flatten();
        keys.filter(|key| key.is_in_use).map(move |key| (name, key))
    })
}

fn builder(subject: &Subject, keys: &Answer<Vec<KeyFacts>>, findings: &mut Findings) {
    let keys = match keys {
        Ok(keys) => keys,
        Err(failure) => {
            findings.add(
                Kind::SigningKeysUnread,
                subject,
                format!("its keys cannot be listed: {failure}"),
                Remedy::new("see what gpg says").by("gentoo-updater store keys list"),
            );
            return;
        }
    };
    let name = subject.name();
    match keys.iter().find(|key| key.is_in_use) {
        None => {
            // The state of a key whose time is over hides that it was the one in use.
            let expired = keys.iter().any(|key| key.is_over);
            let (kind, found, command) = match expired {
                true => (
                    Kind::SigningKeyExpired,
                    "it has expired or revoked keys alone",
                    "rotate",
                ),
                false => (
                    Kind::SigningKeyMissing,
                    "it has no key to sign with",
                    "init",
                ),
            };
            findings.add(
                kind,
                subject,
                found,
                Remedy::new("make it one, and teach guests that require signatures")
                    .by(format!("gentoo-updater store keys {command} {name}")),
            );
        }
        Some(key) => {
            if let Some(days) = key.days_left.filter(|days| *days < SOON_DAYS) {
                findings.add(
                    Kind::SigningKeyExpiresSoon,
                    subject,
                    format!("its key {} expires in {days} days", key.fingerprint),
                    Remedy::new("make a new one in time, and teach guests that require signatures")
                        .by(format!("gentoo-updater store keys rotate {name}")),
                );
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::TrustedKey;
    use super::super::testing::{found, guest, of, settings, settings_of, well};
    use super::*;
    use crate::message::{Failure, FailureClass};

    const FINGERPRINT: &str = "39BB337317CC843D42E1BF6263136F93CB577C76";

    fn key(days_left: Option<u64>) -> KeyFacts {
        KeyFacts {
            fingerprint: FINGERPRINT.parse().unwrap(),
            is_in_use: true,
            days_left,
            is_over: false,
        }
    }

    fn with(keys: Answer<Vec<KeyFacts>>) -> Facts {
        let mut facts = well();
        facts.keys.insert("b1".parse().unwrap(), keys);
        facts
    }

    #[test]
    fn a_builder_needs_a_key_that_is_good_for_a_while() {
        let settings = settings_of("[platforms.default]\nsign = true\n");
        let says = |keys| found(&settings, &with(keys));
        assert!(says(Ok(vec![key(None)])).is_empty());
        assert!(says(Ok(vec![key(Some(30))])).is_empty());
        assert_eq!(
            says(Ok(vec![key(Some(29))])),
            ["builder b1: signing_key_expires_soon"]
        );
        assert_eq!(says(Ok(vec![])), ["builder b1: signing_key_missing"]);
        let over = KeyFacts {
            is_in_use: false,
            is_over: true,
            ..key(Some(0))
        };
        assert_eq!(says(Ok(vec![over])), ["builder b1: signing_key_expired"]);
        let busy = Failure::new(FailureClass::Machine, "SigningKeysBusy", "held");
        assert_eq!(says(Err(busy)), ["builder b1: signing_keys_unread"]);
    }

    #[test]
    fn a_guest_that_requires_signatures_must_know_every_key_that_signs() {
        let sign = settings_of("[platforms.default]\nsign = true\n");
        let mut facts = with(Ok(vec![key(None)]));
        let g1 = guest("g1");
        let features = format!("binpkg-multi-instance {REQUIRED}");
        let own = &mut of(&mut facts, &g1).facts;
        own.portage.settings.insert("FEATURES".to_owned(), features);
        assert_eq!(found(&sign, &facts), ["guest g1: signing_key_unknown"]);
        assert_eq!(
            found(&settings(), &facts),
            ["guest g1: signatures_never_made"]
        );
        let mut trusted = TrustedKey {
            fingerprint: FINGERPRINT.parse().unwrap(),
            is_over: true,
        };
        of(&mut facts, &g1).facts.trusted_keys = Some(vec![trusted.clone()]);
        assert_eq!(found(&sign, &facts), ["guest g1: signing_key_unknown"]);
        trusted.is_over = false;
        of(&mut facts, &g1).facts.trusted_keys = Some(vec![trusted]);
        assert!(found(&sign, &facts).is_empty());
    }
}
