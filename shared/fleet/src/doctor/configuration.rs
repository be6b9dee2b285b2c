//! What is odd in a configuration that can be used.

use std::path::PathBuf;

use super::{Area, Findings, Kind, Remedy, Subject};
use crate::config::Settings;

/// What the configuration alone does not say of itself.
#[derive(Debug, Clone, Default)]
pub struct ConfigurationFacts {
    /// Its file.
    pub path: PathBuf,
    /// Its permissions (stat(2)).
    pub mode: u32,
    /// Whether the password of the broker stands in the file itself, and not in a variable.
    pub holds_password: bool,
    /// Why the state directory cannot be used, if so.
    pub state_directory: Option<String>,
}

/// The permissions by which others can read a file.
const READABLE_BY_OTHERS: u32 = 0o044;

pub(super) fn judge(settings: &Settings, facts: &ConfigurationFacts, findings: &mut Findings) {
    let subject = Subject::Configuration;
    findings.looked_at(Area::Configuration, &subject);
    let path = facts.path.display();
    if facts.holds_password && facts.mode & READABLE_BY_OTHERS != 0 {
        findings.add(
            Kind::PasswordReadable,
            &subject,
            format!(
                "{path} holds the password of the broker and has mode {:04o}",
                facts.mode & 0o7777
            ),
            Remedy::new("let root alone read it").by(format!("chmod 600 {path}")),
        );
    }
    if let Some(why) = &facts.state_directory {
        let folder = settings.state_directory.display();
        findings.add(
            Kind::StateDirectoryUnusable,
            &subject,
            format!("state_directory {folder} cannot be used: {why}"),
            Remedy::new(
                "make it writable for the user that runs this, or name another state_directory",
            ),
        );
    }
    ways(settings, findings);
    rollout(settings, findings);
    machines(settings, findings);
}

/// What is not encrypted.
fn ways(settings: &Settings, findings: &mut Findings) {
    if let Some(broker) = &settings.broker
        && broker.url.starts_with("amqp://")
        && !is_local(&broker.url)
    {
        findings.add(
            Kind::BrokerNotEncrypted,
            &Subject::Configuration,
            "broker.url begins with amqp://, and the broker is another machine",
            Remedy::new("give the broker a certificate, and write amqps:// (broker.ca names an authority of your own)"),
        );
    }
    for (name, platform) in &settings.platforms {
        if let Some(url) = platform.url.as_ref().filter(|url| !url.is_encrypted()) {
            findings.add(
                Kind::StoreNotEncrypted,
                &Subject::Configuration,
                format!("platforms.{name}.url is {url}"),
                Remedy::new(
                    "serve it by `gentoo-updater store serve --certificate FILE --key FILE`, and write https://",
                ),
            );
        }
    }
}

/// Whether the host of a URL is this machine.
fn is_local(url: &str) -> bool {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let authority = rest.split(['/', '?']).next().unwrap_or_default();
    let host = authority
        .rsplit_once('@')
        .map_or(authority, |(_, host)| host);
    let host = host.split(':').next().unwrap_or_default();
    host == "localhost" || host.starts_with("127.")
}

fn rollout(settings: &Settings, findings: &mut Findings) {
    let rollout = settings.rollout(settings.guests.keys());
    let unchecked = |guest| {
        let guest = settings.guests.get(guest);
        guest.is_some_and(|guest| guest.checks.is_empty())
    };
    let remedy = || {
        Remedy::new(
            "say what shows that it is well: a table [checks.NAME], and its name in policy.checks or in \
             the checks of the guest",
        )
    };
    // Every guest is in a wave, and behind the last one nobody waits.
    let before_others = rollout
        .waves
        .split_last()
        .map_or(&[][..], |(_, waves)| waves);
    for wave in before_others {
        let guests: Vec<&str> = wave
            .guests
            .iter()
            .filter(|guest| unchecked(guest))
            .map(|guest| guest.as_str())
            .collect();
        if guests.len() == wave.guests.len() {
            findings.add(
                Kind::CanaryUnchecked,
                &Subject::Configuration,
                format!(
                    "no guest of wave {} has a check: {}",
                    wave.name,
                    guests.join(" ")
                ),
                remedy(),
            );
        }
    }
    for guest in rollout.put_back.iter().filter(|guest| unchecked(guest)) {
        findings.add(
            Kind::RollbackUnchecked,
            &Subject::Configuration,
            format!("guest {guest} is to be put back when a check fails, and has none"),
            remedy(),
        );
    }
}

fn machines(settings: &Settings, findings: &mut Findings) {
    for platform in settings.platforms.keys() {
        let has_guests = settings.guests.values().any(|it| it.platform == *platform);
        let has_builders = settings
            .builders
            .values()
            .any(|it| it.platform == *platform);
        if has_builders && !has_guests {
            findings.add(
                Kind::PlatformUnused,
                &Subject::Configuration,
                format!("platform {platform} has builders and no guests"),
                Remedy::new("give it guests, or remove it with its builders"),
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{codes, settings, settings_from, settings_of};
    use super::*;

    fn judged(settings: &Settings, facts: &ConfigurationFacts) -> Vec<&'static str> {
        let mut findings = Findings::default();
        judge(settings, facts, &mut findings);
        codes(&findings)
    }

    #[test]
    fn a_password_that_others_can_read_is_told_and_one_in_a_variable_is_not_in_the_file() {
        let facts = |mode, holds_password| ConfigurationFacts {
            mode,
            holds_password,
            ..ConfigurationFacts::default()
        };
        let judged = |facts| judged(&settings(), &facts);
        assert_eq!(judged(facts(0o100_644, true)), ["password_readable"]);
        assert_eq!(judged(facts(0o100_640, true)), ["password_readable"]);
        assert!(judged(facts(0o100_600, true)).is_empty());
        assert!(judged(facts(0o100_644, false)).is_empty());
    }

    #[test]
    fn what_is_not_encrypted_is_told_unless_it_stays_on_this_machine() {
        let with = |url: &str| {
            let settings = settings_of(&format!("[broker]\nurl = \"{url}\"\n"));
            judged(&settings, &ConfigurationFacts::default())
        };
        assert_eq!(
            with("amqp://u:p@mq.example.net/f"),
            ["broker_not_encrypted"]
        );
        assert!(with("amqps://u:p@mq.example.net/f").is_empty());
        assert!(with("amqp://u:p@127.0.0.1:5673/f").is_empty());
        assert!(with("amqp://localhost").is_empty());
        let plain = settings_of("[platforms.default]\nurl = \"http://nas/binaries\"\n");
        let plain = judged(&plain, &ConfigurationFacts::default());
        assert_eq!(plain, ["store_not_encrypted"]);
    }

    #[test]
    fn a_wave_before_others_without_any_check_is_told() {
        let wave = "[[rollout.waves]]\nname = \"canary\"\nguests = [\"g1\"]\n";
        let none = judged(&settings_of(wave), &ConfigurationFacts::default());
        assert!(none.contains(&"canary_unchecked"), "{none:?}");
        let all = "[[rollout.waves]]\nname = \"all\"\nguests = [\"g1\", \"g2\"]\n";
        let none = judged(&settings_of(all), &ConfigurationFacts::default());
        assert!(
            !none.contains(&"canary_unchecked"),
            "nobody comes later: {none:?}"
        );
        let checked = format!("{wave}[checks.up]\ntcp = \"22\"\n[policy]\nchecks = [\"up\"]\n");
        let checked = judged(&settings_of(&checked), &ConfigurationFacts::default());
        assert!(checked.is_empty(), "{checked:?}");
    }

    #[test]
    fn a_guest_that_is_to_be_put_back_needs_a_check_that_fails() {
        let g3 = "[guests.g3]\naddress = \"ssh://g3\"\nrollback = true\n";
        let told = judged(&settings_of(g3), &ConfigurationFacts::default());
        assert_eq!(told, ["rollback_unchecked"]);
        let checked = format!("{g3}checks = [\"up\"]\n[checks.up]\ntcp = \"22\"\n");
        let told = judged(&settings_of(&checked), &ConfigurationFacts::default());
        assert!(told.is_empty(), "{told:?}");
    }

    #[test]
    fn builders_for_nobody_and_a_state_directory_that_cannot_be_used_are_told() {
        let unused = settings_from(
            "[platforms.amd64]\n[platforms.arm64]\nstore = \"/srv/arm64\"\n\
             [builders.b1]\naddress = \"ssh://b1\"\nplatform = \"amd64\"\n\
             [builders.b2]\naddress = \"ssh://b2\"\nplatform = \"arm64\"\n\
             [guests.g1]\naddress = \"ssh://g1\"\nplatform = \"amd64\"\n",
        );
        let facts = ConfigurationFacts {
            state_directory: Some("it is a file".to_owned()),
            ..ConfigurationFacts::default()
        };
        let codes = judged(&unused, &facts);
        assert_eq!(codes, ["state_directory_unusable", "platform_unused"]);
    }
}
