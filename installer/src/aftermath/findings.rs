//! From a machine's answer to what its administrator is told. Pure.

use std::collections::{BTreeMap, BTreeSet};

use gentoo_updater_fleet::message::{Finding, FindingKind};
use gentoo_updater_fleet::words::counted;
use gentoo_updater_portage::preserved_libs::{self, Preserved, PreservedLibsError};

use super::answer::{Answer, Content, PendingFile, Process};
use super::services::{Manager, Outdated, Owner};
use super::{LINES, kernel};

/// Bytes of all differences of one machine together: messages and the state that is kept of runs are
/// no place for more.
const DIFFERENCES: usize = 16 * 1024;
/// Characters of a line of details.
const LINE: usize = 200;
/// Of how many processes, consumers and the like a finding tells by name.
const NAMED: usize = 10;

/// Everything but the services, which may be restarted first.
pub(super) fn of(answer: &Answer) -> Vec<Finding> {
    let mut findings = configuration(&answer.pending);
    if answer.more_pending {
        let text = "more configuration files wait for dispatch-conf or etc-update than are told";
        findings.push(Finding::new(FindingKind::ConfigurationPending, text));
    }
    match preserved(answer) {
        Ok(preserved) => findings.extend(preserved),
        Err(error) => {
            let text = format!("which libraries are preserved is not known: {error}");
            findings.push(Finding::new(FindingKind::Other, &text));
        }
    }
    findings.extend(answer.news.iter().map(|item| {
        let text = match item.title.as_str() {
            "" => format!("unread news {}", item.name),
            title => format!("unread news {}: {title}", item.name),
        };
        Finding::new(FindingKind::NewsUnread, &text).about(&item.name)
    }));
    findings.extend(kernel::finding(answer));
    findings
}

fn configuration(pending: &[PendingFile]) -> Vec<Finding> {
    let mut room = DIFFERENCES;
    let finding = |file: &PendingFile| {
        let path = &file.path;
        let waits = format!("{path} waits for dispatch-conf or etc-update");
        let (text, details) = match &file.content {
            Content::Gone => (
                format!("{waits}; the file in its place was removed"),
                vec![],
            ),
            Content::Secret => (
                format!("{waits}; what differs is not shown, since not everybody may read it"),
                vec![],
            ),
            Content::Unknown => (format!("{waits}; the machine has no diff"), vec![]),
            Content::Shown(lines) => (waits, bounded(lines, LINES, &mut room)),
        };
        Finding::new(FindingKind::ConfigurationPending, &text)
            .about(in_place(path))
            .with_details(details)
    };
    pending.iter().map(finding).collect()
}

/// The path of the file that a `._cfg0000_` file wants to replace.
fn in_place(path: &str) -> String {
    let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
    // `._cfg`, four digits and `_`.
    let name = name.get(10..).unwrap_or(name);
    format!("{folder}/{name}")
}

/// The first lines of a text, each of a bearable length, and that there are more.
fn bounded(lines: &[String], most: usize, room: &mut usize) -> Vec<String> {
    let mut kept = Vec::new();
    for line in lines.iter().take(most) {
        let short: String = line.chars().take(LINE).collect();
        let Some(left) = room.checked_sub(short.len()) else {
            break;
        };
        *room = left;
        let is_cut = short.len() < line.len();
        kept.push(if is_cut {
            format!("{short} …")
        } else {
            short
        });
    }
    if kept.len() < lines.len() {
        kept.push("… and more; see the file itself".to_owned());
    }
    kept
}

fn preserved(answer: &Answer) -> Result<Vec<Finding>, PreservedLibsError> {
    let registry = preserved_libs::parse_registry(&answer.registry)?;
    let mut consumers: BTreeMap<String, BTreeSet<&str>> = BTreeMap::new();
    for (package, line) in &answer.needed {
        for soname in preserved_libs::parse_needed(line)?.sonames {
            consumers.entry(soname).or_default().insert(package);
        }
    }
    let finding = |library: &Preserved, path: &String| {
        let soname = path.rsplit('/').next().unwrap_or(path);
        let users = consumers.get(soname)?;
        let users = enumerate(users.iter().map(|user| (*user).to_owned()), NAMED);
        let text = format!(
            "{path} of {} was kept, because {users} need it: emerge @preserved-rebuild",
            library.cpv
        );
        Some(Finding::new(FindingKind::LibraryPreserved, &text).about(path))
    };
    let mut findings = Vec::new();
    for library in &registry {
        let used: Vec<Finding> = library
            .paths
            .iter()
            .filter_map(|path| finding(library, path))
            .collect();
        // Portage needs no more than the registry to keep a file.
        if used.is_empty()
            && let Some(path) = library.paths.first()
        {
            let text = format!(
                "{path} of {} was kept: emerge @preserved-rebuild",
                library.cpv
            );
            findings.push(Finding::new(FindingKind::LibraryPreserved, &text).about(path));
        }
        findings.extend(used);
    }
    Ok(findings)
}

/// What is told of something to restart. `left` says why it was not restarted, where others are.
pub(super) fn outdated(
    outdated: &Outdated,
    manager: Option<Manager>,
    first: &str,
    left: Option<&str>,
) -> Finding {
    let files: BTreeSet<&str> = outdated
        .processes
        .iter()
        .flat_map(|process| process.files.iter().map(String::as_str))
        .collect();
    let files = enumerate(files.iter().map(|file| (*file).to_owned()), 3);
    let left = left
        .map(|why| format!("; it was not restarted: {why}"))
        .unwrap_or_default();
    let (kind, subject, text) = match &outdated.owner {
        Owner::Init => (
            FindingKind::ServiceOutdated,
            "init",
            format!(
                "init runs on deleted {files}: {}",
                Manager::renew_init(manager, first)
            ),
        ),
        Owner::Service(name) => {
            let remedy = match manager {
                Some(manager) => manager.restart(name).join(" "),
                None => "restart it".to_owned(),
            };
            let text = format!("{name} runs on deleted {files}: {remedy}{left}");
            (FindingKind::ServiceOutdated, name.as_str(), text)
        }
        Owner::Login(name) => (
            FindingKind::ProcessOutdated,
            name.as_str(),
            format!("a login runs {name} on deleted {files}: log out and in again"),
        ),
        Owner::Program(name) => (
            FindingKind::ProcessOutdated,
            name.as_str(),
            format!("{name}, of no known service, runs on deleted {files}: begin it anew"),
        ),
    };
    let details = outdated.processes.iter().take(NAMED).map(describe);
    let mut details: Vec<String> = details.collect();
    if outdated.processes.len() > NAMED {
        let others = outdated.processes.len() - NAMED;
        details.push(format!("… and {}", counted(others, "other")));
    }
    Finding::new(kind, &text)
        .about(subject)
        .with_details(details)
}

fn describe(process: &Process) -> String {
    let files = enumerate(process.files.iter().cloned(), 3);
    let line = format!("{} {}: {files}", process.pid, process.name);
    line.chars().take(LINE).collect()
}

/// That not all processes were looked at.
pub(super) fn more_processes() -> Finding {
    let text = "more processes run on deleted libraries than were looked at: reboot it";
    Finding::new(FindingKind::Other, text)
}

/// So many of them by name, and the number of the others.
fn enumerate(names: impl ExactSizeIterator<Item = String>, most: usize) -> String {
    let others = names.len().saturating_sub(most);
    let named: Vec<String> = names.take(most).collect();
    match others {
        0 => named.join(" "),
        _ => format!("{} and {}", named.join(" "), counted(others, "other")),
    }
}

#[cfg(test)]
mod tests {
    use super::super::answer;
    use super::*;

    fn lines(count: usize, length: usize) -> Vec<String> {
        (0..count)
            .map(|n| format!("+{n} {}", "x".repeat(length)))
            .collect()
    }

    fn pending(path: &str, content: Content) -> PendingFile {
        PendingFile {
            path: path.to_owned(),
            content,
        }
    }

    #[test]
    fn what_was_not_looked_at_or_not_understood_is_told_and_hides_nothing_else() {
        let answer = Answer {
            pending: vec![pending("/etc/._cfg0000_a", Content::Gone)],
            more_pending: true,
            registry: "{".to_owned(),
            ..Answer::default()
        };
        let texts: Vec<String> = of(&answer).into_iter().map(|f| f.text).collect();
        assert_eq!(texts.len(), 3, "{texts:?}");
        assert!(texts[0].starts_with("/etc/._cfg0000_a waits"), "{texts:?}");
        assert!(texts[1].starts_with("more configuration"), "{texts:?}");
        assert!(texts[2].contains("is not known"), "{texts:?}");
    }

    #[test]
    fn a_difference_is_shown_and_that_of_a_file_that_others_may_not_read_is_not() {
        let shown = Content::Shown(vec!["-listen = 1".to_owned(), "+listen = 2".to_owned()]);
        let findings = configuration(&[
            pending("/etc/tinyd/._cfg0000_tinyd.conf", shown),
            pending("/etc/._cfg0001_shadow", Content::Secret),
            pending("/etc/._cfg0000_gone", Content::Gone),
        ]);
        assert_eq!(
            findings[0].subject.as_deref(),
            Some("/etc/tinyd/tinyd.conf")
        );
        assert_eq!(findings[0].details, ["-listen = 1", "+listen = 2"]);
        assert_eq!(findings[1].subject.as_deref(), Some("/etc/shadow"));
        assert!(findings[1].details.is_empty());
        assert!(
            findings[1].text.contains("not shown"),
            "{}",
            findings[1].text
        );
        assert!(
            findings[2].text.contains("was removed"),
            "{}",
            findings[2].text
        );
    }

    #[test]
    fn differences_are_bounded_in_lines_in_their_length_and_all_together() {
        let long = [pending(
            "/etc/._cfg0000_a",
            Content::Shown(lines(LINES + 50, 5)),
        )];
        let findings = configuration(&long);
        let details = &findings[0].details;
        assert_eq!(details.len(), LINES + 1);
        assert!(details[LINES].contains("and more"), "{:?}", details.last());
        let wide = [pending("/etc/._cfg0000_a", Content::Shown(lines(1, 5000)))];
        assert!(configuration(&wide)[0].details[0].chars().count() < LINE + 5);
        let many: Vec<PendingFile> = (0..100)
            .map(|n| {
                pending(
                    &format!("/etc/._cfg0000_{n}"),
                    Content::Shown(lines(LINES, 190)),
                )
            })
            .collect();
        let bytes: usize = configuration(&many)
            .iter()
            .flat_map(|finding| finding.details.iter().map(String::len))
            .sum();
        assert!(bytes < DIFFERENCES + 100 * 64, "{bytes} bytes");
    }

    #[test]
    fn a_preserved_library_is_told_with_whoever_needs_it() {
        let registry = r#"{"dev-libs/libalpha:0": ["dev-libs/libalpha-2.0", "7",
            ["/usr/lib64/libalpha.so.1", "/usr/lib64/libalpha.so.1.0"]]}"#;
        let line = "X86_64;/usr/bin/hello;;;libalpha.so.1,libc.so.6;x86_64";
        let answer = Answer {
            registry: registry.to_owned(),
            needed: vec![("app-misc/hello-1.0".to_owned(), line.to_owned())],
            ..Answer::default()
        };
        let findings = preserved(&answer).unwrap();
        let texts: Vec<&str> = findings
            .iter()
            .map(|finding| finding.text.as_str())
            .collect();
        assert_eq!(
            texts,
            [
                "/usr/lib64/libalpha.so.1 of dev-libs/libalpha-2.0 was kept, because \
              app-misc/hello-1.0 need it: emerge @preserved-rebuild"
            ]
        );
        let alone = Answer {
            registry: registry.to_owned(),
            ..Answer::default()
        };
        assert_eq!(
            preserved(&alone).unwrap().len(),
            1,
            "it is told although nobody is known"
        );
    }

    #[test]
    fn everything_of_a_real_answer_is_told() {
        let text = include_str!("../../tests/fixtures/afterwards.txt");
        let answer = answer::parse(text).unwrap();
        let findings = of(&answer);
        let kinds: BTreeSet<FindingKind> = findings.iter().map(|f| f.kind).collect();
        for kind in [
            FindingKind::ConfigurationPending,
            FindingKind::LibraryPreserved,
            FindingKind::NewsUnread,
            FindingKind::RebootNeeded,
        ] {
            assert!(kinds.contains(&kind), "{kind:?}: {findings:#?}");
        }
    }
}
