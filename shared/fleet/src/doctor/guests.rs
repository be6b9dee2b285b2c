//! What a guest needs beside what every machine does: its store, room, and binaries that run on it.

use gentoo_updater_portage::build_key::{Difference, Platform};

use super::machines::{answered, is_older, some};
use super::{Facts, Findings, Kind, MachineFacts, PortageFacts, Remedy, Subject};
use crate::config::{Guest, Settings, StoreAccess};

/// The first Portage that wants signatures of a binhost that does not speak of them.
const ASKS_FOR_SIGNATURES: [u64; 3] = [3, 0, 78];
/// With less than that nothing can be installed, in megabytes.
const NEXT_TO_NOTHING: u64 = 50;

pub(super) fn judge(settings: &Settings, facts: &Facts, findings: &mut Findings) {
    for (subject, examined) in answered(facts) {
        let Subject::Guest(name) = subject else {
            continue;
        };
        let Some(guest) = settings.guests.get(name) else {
            continue;
        };
        space(settings, subject, &examined.facts, findings);
        if examined.facts.portage.error.is_none() {
            binhosts(subject, &examined.facts.portage, findings);
            pkgdir(settings, subject, guest, &examined.facts, findings);
            platform(facts, settings, subject, guest, &examined.facts, findings);
        }
    }
}

fn space(settings: &Settings, subject: &Subject, facts: &MachineFacts, findings: &mut Findings) {
    let least = settings.policy.min_free_megabytes;
    for space in &facts.spaces {
        let free = space.free_megabytes;
        let kind = match free {
            _ if free < NEXT_TO_NOTHING => Kind::GuestDiskFull,
            _ if free < least => Kind::GuestSpaceLow,
            _ => continue,
        };
        findings.add(
            kind,
            subject,
            format!("{} has {free} MB free", space.folder),
            Remedy::new("make room there; old sources and logs go first")
                .by(format!("du -xh -d 2 {} | sort -h | tail", space.folder)),
        );
    }
}

fn binhosts(subject: &Subject, portage: &PortageFacts, findings: &mut Findings) {
    let version = portage.version.as_deref().unwrap_or_default();
    if portage.silent_binhosts.is_empty() || is_older(version, ASKS_FOR_SIGNATURES) {
        return;
    }
    let names: Vec<&str> = portage.silent_binhosts.iter().map(String::as_str).collect();
    findings.add(
        Kind::BinhostSilent,
        subject,
        format!(
            "binrepos.conf does not say verify-signature of {}, and it has Portage {version}",
            some(&names)
        ),
        Remedy::new("write verify-signature = true or false into their sections there"),
    );
}

fn pkgdir(
    settings: &Settings,
    subject: &Subject,
    guest: &Guest,
    facts: &MachineFacts,
    findings: &mut Findings,
) {
    let Some(platform) = settings.platforms.get(&guest.platform) else {
        return;
    };
    let own = facts.portage.setting("PKGDIR").trim_end_matches('/');
    let store = platform.store.display().to_string();
    if guest.store == StoreAccess::Mount && own != store.trim_end_matches('/') {
        findings.add(
            Kind::PkgdirDiffers,
            subject,
            format!(
                "its PKGDIR is {own:?}, and the store of platform {} is {store}",
                guest.platform
            ),
            Remedy::new(format!(
                "write PKGDIR=\"{store}\" into /etc/portage/make.conf there, or mount the store where \
                 PKGDIR is and name that in platforms.{}.store",
                guest.platform
            )),
        );
    }
}

/// As what a machine compiles, or for what its packages are made.
pub(super) fn platform_of(portage: &PortageFacts, any_flags: bool) -> Result<Platform, String> {
    let value_of = |name: &'static str| {
        let value = portage.settings.get(name).map(String::as_str);
        value.filter(|_| !(any_flags && name.ends_with("FLAGS")))
    };
    Platform::from_variables(value_of, [].into()).map_err(|error| error.to_string())
}

fn platform(
    facts: &Facts,
    settings: &Settings,
    subject: &Subject,
    guest: &Guest,
    own: &MachineFacts,
    findings: &mut Findings,
) {
    let own = match platform_of(&own.portage, guest.any_flags) {
        Ok(own) => own,
        Err(error) => return unclear(subject, &error, findings),
    };
    // One is enough: builders that differ are told of themselves.
    let builder = answered(facts).find_map(|(other, examined)| {
        let is_builder = matches!(other, Subject::Builder(_))
            && other.platform(settings) == Some(&guest.platform);
        let platform = platform_of(&examined.facts.portage, guest.any_flags);
        is_builder.then_some(())?;
        Some((other, platform.ok()?))
    });
    let Some((builder, compiled)) = builder else {
        return;
    };
    let clash = own.clash(&compiled);
    if !clash.is_empty() {
        findings.add(
            Kind::PlatformDiffers,
            subject,
            format!("it has {} of {builder}", words(&clash)),
            Remedy::new(format!(
                "where the machines are alike make make.conf equal on both, else give it a platform with a \
                 builder of its kind; where only compiler flags differ and the binaries run there, \
                 guests.{}.any_flags = true takes them as they are",
                subject.name()
            )),
        );
    }
}

/// That the variables of a machine name no platform.
pub(super) fn unclear(subject: &Subject, error: &str, findings: &mut Findings) {
    findings.add(
        Kind::PlatformUnclear,
        subject,
        format!("/etc/portage/make.conf: {error}"),
        Remedy::new("put that right in /etc/portage/make.conf there"),
    );
}

pub(super) fn words(differences: &[Difference]) -> String {
    let words: Vec<String> = differences.iter().map(ToString::to_string).collect();
    words.join("; ")
}

#[cfg(test)]
mod tests {
    use super::super::testing::{found, found_with, guest, of, settings_of, well};

    #[test]
    fn a_disk_that_fills_up_and_a_full_one_weigh_differently() {
        let free = |megabytes| {
            found_with(&guest("g1"), |it| {
                it.facts.spaces[0].free_megabytes = megabytes;
            })
        };
        assert!(free(500).is_empty());
        assert_eq!(free(499), ["guest g1: guest_space_low"]);
        assert_eq!(free(49), ["guest g1: guest_disk_full"]);
    }

    fn set(name: &str, value: &str) -> Vec<String> {
        found_with(&guest("g1"), |it| {
            let settings = &mut it.facts.portage.settings;
            settings.insert(name.to_owned(), value.to_owned());
        })
    }

    #[test]
    fn a_guest_whose_pkgdir_is_another_folder_than_the_store_is_told_and_a_slash_is_no_difference()
    {
        assert_eq!(
            set("PKGDIR", "/usr/portage/packages"),
            ["guest g1: pkgdir_differs"]
        );
        assert!(set("PKGDIR", "/var/cache/binpkgs/").is_empty());
    }

    #[test]
    fn a_binhost_that_does_not_speak_of_signatures_matters_since_portage_3_0_78() {
        let with = |version: &str| {
            found_with(&guest("g1"), |it| {
                it.facts.portage.version = Some(version.to_owned());
                it.facts.portage.silent_binhosts = vec!["gentoo".to_owned()];
            })
        };
        assert!(with("3.0.77").is_empty());
        assert_eq!(with("3.0.78"), ["guest g1: binhost_silent"]);
    }

    #[test]
    fn a_guest_that_fetches_needs_no_mounted_store() {
        let settings = settings_of(
            "[platforms.default]\nurl = \"https://nas/b\"\n[guests.g3]\naddress = \"ssh://g3\"\nstore = \"http\"\n",
        );
        let mut facts = well();
        let mut machine = super::super::testing::machine();
        machine.facts.store = None;
        machine
            .facts
            .portage
            .settings
            .insert("PKGDIR".to_owned(), "/elsewhere".to_owned());
        facts.machines.insert(guest("g3"), Ok(machine));
        assert!(found(&settings, &facts).is_empty());
    }

    #[test]
    fn a_guest_of_another_kind_than_its_builders_is_told_unless_it_takes_any_flags() {
        let other = "-O2 -march=znver4";
        assert_eq!(set("CFLAGS", other), ["guest g1: platform_differs"]);
        assert_eq!(
            set("CFLAGS", "-O2 -march=native"),
            ["guest g1: platform_unclear"]
        );
        assert!(set("CFLAGS", "-O3 -march=x86-64-v2").is_empty());
        let settings = settings_of("[guests.g3]\naddress = \"ssh://g3\"\nany_flags = true\n");
        let mut facts = well();
        let g3 = guest("g3");
        facts
            .machines
            .insert(g3.clone(), Ok(super::super::testing::machine()));
        let cflags = ("CFLAGS".to_owned(), other.to_owned());
        of(&mut facts, &g3).facts.portage.settings.extend([cflags]);
        assert!(found(&settings, &facts).is_empty());
    }
}
