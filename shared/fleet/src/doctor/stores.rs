//! Whether the store of a platform is there, the same everywhere, and whole.

use super::machines::{SILENT, answered, some};
use super::{Area, Facts, Findings, IndexFacts, Kind, Remedy, StoreFacts, Subject, SurveyFacts};
use crate::config::{Settings, StoreAccess};
use crate::name::PlatformName;

/// For how long an index must not have changed before two that differ are those of two stores: a share
/// may show a change a minute late (acdirmax of nfs(5)), and clocks may be off a little.
const SETTLED_SECONDS: u64 = 150;

pub(super) fn judge(settings: &Settings, facts: &Facts, findings: &mut Findings) {
    for name in settings.platforms.keys() {
        let seen = seen(settings, facts, name);
        let subject = Subject::Platform(name.clone());
        if !seen.is_empty() || facts.surveys.contains_key(name) {
            findings.looked_at(Area::Stores, &subject);
        }
        missing(settings, facts, &seen, findings);
        compare(&subject, &seen, findings);
        served(settings, facts, name, &seen, findings);
        lock(&subject, &seen, findings);
        match facts.surveys.get(name) {
            Some(Ok(survey)) => contents(&subject, name, survey, findings),
            Some(Err(failure)) if failure.cause == SILENT => findings.add(
                Kind::StoreNotSurveyed,
                &subject,
                format!("its files were not looked through: {failure}"),
                Remedy::new("give it more time, or have all of it verified")
                    .by("gentoo-updater doctor --only stores --timeout 900"),
            ),
            // That there is none is told by its builders.
            Some(Err(_)) if seen.iter().any(|it| !it.store.is_there) => {}
            Some(Err(failure)) => findings.add(
                Kind::StoreUnreadable,
                &subject,
                failure.to_string(),
                Remedy::new("look after the disk or the share on its builders"),
            ),
            None => {}
        }
    }
}

/// A store as one machine sees it.
struct View<'a> {
    subject: &'a Subject,
    store: &'a StoreFacts,
    path: String,
}

fn seen<'a>(settings: &Settings, facts: &'a Facts, platform: &PlatformName) -> Vec<View<'a>> {
    let path = settings.platforms.get(platform);
    let path = path
        .map(|it| it.store.display().to_string())
        .unwrap_or_default();
    let mounts = |subject: &Subject| match subject {
        Subject::Guest(name) => settings
            .guests
            .get(name)
            .is_some_and(|guest| guest.store == StoreAccess::Mount),
        _ => true,
    };
    answered(facts)
        .filter(|(subject, _)| subject.platform(settings) == Some(platform) && mounts(subject))
        .filter_map(|(subject, examined)| {
            Some(View {
                subject,
                store: examined.facts.store.as_ref()?,
                path: path.clone(),
            })
        })
        .collect()
}

fn missing(settings: &Settings, facts: &Facts, seen: &[View<'_>], findings: &mut Findings) {
    for view in seen.iter().filter(|view| !view.store.is_there) {
        // The worker's own look has told it.
        let is_told = match view.subject {
            Subject::Builder(name) => facts.builders.contains_key(name),
            _ => false,
        };
        // A machine that is builder and guest has one store.
        let is_builder = matches!(view.subject, Subject::Guest(_))
            && seen.iter().any(|other| {
                matches!(other.subject, Subject::Builder(_))
                    && other.subject.address(settings) == view.subject.address(settings)
            });
        if !is_told && !is_builder {
            findings.add(
                Kind::StoreMissing,
                view.subject,
                format!("there is no folder {}", view.path),
                Remedy::new("mount the store there, read-only will do on guests")
                    .by(format!("mount {}", view.path)),
            );
        }
    }
}

/// Whether all see the index that the builders see.
fn compare(platform: &Subject, seen: &[View<'_>], findings: &mut Findings) {
    let there = || seen.iter().filter(|view| view.store.is_there);
    let is_builder = |view: &&View<'_>| matches!(view.subject, Subject::Builder(_));
    let Some(standard) = there()
        .filter(is_builder)
        .find(|view| view.store.index.is_some())
        .or_else(|| there().find(is_builder))
    else {
        return;
    };
    let settled = |index: &Option<IndexFacts>| {
        let index = index.as_ref();
        index.is_none_or(|index| index.written_seconds_ago >= SETTLED_SECONDS)
    };
    let digest = |index: &Option<IndexFacts>| index.as_ref().map(|index| index.sha256.clone());
    let mut moving = Vec::new();
    for view in there() {
        let (own, other) = (&view.store.index, &standard.store.index);
        if digest(own) == digest(other) {
            continue;
        }
        if !settled(own) || !settled(other) {
            moving.push(view.subject.to_string());
            continue;
        }
        let what = match own {
            None => "has no index there",
            Some(_) => "has another index there",
        };
        findings.add(
            Kind::StoreDiffers,
            view.subject,
            format!(
                "its {} is not the store that {} sees: it {what}",
                view.path, standard.subject
            ),
            Remedy::new("mount the store there: the folder is another one, or empty")
                .by(format!("findmnt --target {}", view.path)),
        );
    }
    if !moving.is_empty() {
        let names: Vec<&str> = moving.iter().map(String::as_str).collect();
        findings.add(
            Kind::StoreNotCompared,
            platform,
            format!(
                "its index changes at this moment, and {} may see an older one",
                some(&names)
            ),
            Remedy::new("look again when nothing is built, three minutes later")
                .by("gentoo-updater doctor --only stores"),
        );
    }
}

/// Whether guests that fetch get what the builders see.
fn served(
    settings: &Settings,
    facts: &Facts,
    platform: &PlatformName,
    seen: &[View<'_>],
    findings: &mut Findings,
) {
    let url = settings
        .platforms
        .get(platform)
        .and_then(|it| it.url.as_ref());
    let url = url.map(ToString::to_string).unwrap_or_default();
    let has_index = seen
        .iter()
        .any(|view| matches!(view.subject, Subject::Builder(_)) && view.store.index.is_some());
    for (subject, examined) in answered(facts) {
        let Some(served) = &examined.facts.served else {
            continue;
        };
        let is_of_platform = subject.platform(settings) == Some(platform);
        let found = match &served.problem {
            _ if !is_of_platform => continue,
            Some(problem) => format!("it cannot fetch {url}/Packages: {problem}"),
            None if has_index && !served.has_index => {
                format!("there is no index at {url}, and the builders see one")
            }
            None => continue,
        };
        findings.add(
            Kind::StoreUnreachable,
            subject,
            found,
            Remedy::new(format!(
                "look whether `gentoo-updater store serve` runs there, whether platforms.{platform}.url \
                 is right, and whether url_ca is the authority of its certificate"
            )),
        );
    }
}

fn lock(platform: &Subject, seen: &[View<'_>], findings: &mut Findings) {
    // One lock, whoever sees it.
    let locks = seen.iter().filter_map(|view| {
        let lock = view.store.lock.as_ref()?;
        Some((lock, view))
    });
    let all: Vec<_> = locks.collect();
    let is_left = !all.is_empty() && all.iter().all(|(lock, _)| lock.silent_seconds > 0);
    if let Some((lock, view)) = all.first().filter(|_| is_left) {
        findings.add(
            Kind::StoreLockLeft,
            platform,
            format!(
                "{}/.gentoo-updater/lock.d was made by {}, and gave no sign of life for {} s",
                view.path, lock.owner, lock.silent_seconds
            ),
            Remedy::new(
                "nothing, whoever needs it takes it over; or where its owner is dead for sure, on a builder",
            )
            .by(format!("rm -r {}/.gentoo-updater/lock.d", view.path)),
        );
    }
    for view in seen {
        if let (Subject::Builder(_), Some(why)) = (view.subject, &view.store.no_locks) {
            findings.add(
                Kind::StoreLocksUnsupported,
                view.subject,
                format!("files in {} cannot be locked there: {why}", view.path),
                Remedy::new(
                    "have nobody but gentoo-updater write to the store, or mount it with locks",
                ),
            );
        }
    }
}

fn contents(
    subject: &Subject,
    platform: &PlatformName,
    survey: &SurveyFacts,
    findings: &mut Findings,
) {
    let repair = || {
        Remedy::new("have it mended while no run goes on")
            .by(format!("gentoo-updater store repair {platform}"))
    };
    if let Some(wrong) = &survey.index_unusable {
        findings.add(
            Kind::StoreIndexUnusable,
            subject,
            format!("the index cannot be used: {wrong}"),
            repair(),
        );
    }
    let number = |names: &[String], one: &str, many: &str| match names.len() {
        1 => format!("1 {one}"),
        number => format!("{number} {many}"),
    };
    let files = number(
        &survey.index_differs,
        "entry of the index is about no such file",
        "entries of the index are about no such files",
    );
    let oddities = number(&survey.oddities, "thing does not fit", "things do not fit");
    for (kind, words, names) in [
        (Kind::StoreIndexDiffers, files, &survey.index_differs),
        (Kind::StoreHasOddities, oddities, &survey.oddities),
    ] {
        if !names.is_empty() {
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            findings.add(
                kind,
                subject,
                format!("{words}: {}", some(&names)),
                repair(),
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{builder, found, found_with, guest, of, settings, well};
    use super::super::{Examined, LockFacts, ServedFacts};
    use super::*;
    use crate::message::{Failure, FailureClass};

    fn store(examined: &mut Examined) -> &mut StoreFacts {
        examined.facts.store.get_or_insert_default()
    }

    #[test]
    fn a_store_that_is_not_there_is_told_once_a_machine() {
        let gone = found_with(&guest("g1"), |it| store(it).is_there = false);
        assert_eq!(gone, ["guest g1: store_missing"]);
        // Of a builder its worker's own look tells it.
        let gone = found_with(&builder("b1"), |it| store(it).is_there = false);
        assert!(gone.is_empty(), "{gone:?}");
    }

    #[test]
    fn a_folder_without_the_builders_index_is_another_store() {
        let empty = found_with(&guest("g1"), |it| store(it).index = None);
        assert_eq!(empty, ["guest g1: store_differs"]);
        let index = |sha256: &str, written_seconds_ago| {
            let sha256 = sha256.to_owned();
            Some(IndexFacts {
                sha256,
                written_seconds_ago,
            })
        };
        let other = |ago| found_with(&guest("g1"), |it| store(it).index = index("cd", ago));
        assert_eq!(other(150), ["guest g1: store_differs"]);
        assert_eq!(other(149), ["platform default: store_not_compared"]);
        let mut fresh = well();
        store(of(&mut fresh, &builder("b1"))).index = index("cd", 10);
        assert_eq!(
            found(&settings(), &fresh),
            ["platform default: store_not_compared"]
        );
        for subject in [builder("b1"), guest("g1"), guest("g2")] {
            store(of(&mut fresh, &subject)).index = None;
        }
        assert!(
            found(&settings(), &fresh).is_empty(),
            "nothing was built yet"
        );
    }

    #[test]
    fn a_guest_that_fetches_must_get_the_index_that_builders_see() {
        let with = |has_index, problem: Option<&str>| {
            found_with(&guest("g1"), |it| {
                let problem = problem.map(str::to_owned);
                it.facts.served = Some(ServedFacts { has_index, problem });
            })
        };
        assert!(with(true, None).is_empty());
        assert_eq!(with(false, None), ["guest g1: store_unreachable"]);
        assert_eq!(
            with(false, Some("refused")),
            ["guest g1: store_unreachable"]
        );
    }

    #[test]
    fn a_lock_is_left_when_nobody_sees_a_sign_of_life() {
        let lock = |silent_seconds| LockFacts {
            owner: "b1 123 456".to_owned(),
            silent_seconds,
        };
        let mut facts = well();
        for subject in [builder("b1"), guest("g1")] {
            store(of(&mut facts, &subject)).lock = Some(lock(7));
        }
        assert_eq!(
            found(&settings(), &facts),
            ["platform default: store_lock_left"]
        );
        // A share may show the beat of a living owner late.
        store(of(&mut facts, &builder("b1"))).lock = Some(lock(0));
        assert!(found(&settings(), &facts).is_empty());
        let none = found_with(&builder("b1"), |it| {
            store(it).no_locks = Some("No locks available".to_owned());
        });
        assert_eq!(none, ["builder b1: store_locks_unsupported"]);
    }

    #[test]
    fn what_a_survey_says_is_told_kind_by_kind() {
        let mut facts = well();
        let survey = SurveyFacts {
            index_unusable: Some("its last entry has no end".to_owned()),
            index_differs: vec!["a/a/a-1-1.gpkg.tar is not there".to_owned()],
            oddities: vec!["one".to_owned(), "two".to_owned()],
        };
        facts.surveys.insert("default".parse().unwrap(), Ok(survey));
        let kinds = [
            "store_index_unusable",
            "store_index_differs",
            "store_has_oddities",
        ];
        assert_eq!(
            found(&settings(), &facts),
            kinds.map(|it| format!("platform default: {it}"))
        );
        let failure = Failure::new(
            FailureClass::Machine,
            "StoreUnreadable",
            "Stale file handle",
        );
        facts
            .surveys
            .insert("default".parse().unwrap(), Err(failure));
        assert_eq!(
            found(&settings(), &facts),
            ["platform default: store_unreadable"]
        );
        let slow = Failure::new(FailureClass::Transient, SILENT, "60 s");
        facts.surveys.insert("default".parse().unwrap(), Err(slow));
        assert_eq!(
            found(&settings(), &facts),
            ["platform default: store_not_surveyed"]
        );
    }
}
