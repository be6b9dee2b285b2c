//! What is to be done on the guests afterwards, summed over the fleet. Pure.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;

use super::GuestReport;
use crate::message::{Finding, FindingKind};
use crate::name::GuestName;
use crate::words::counted;

/// How many guests a line names; of the others it tells the number.
const NAMED: usize = 12;

/// One thing that an administrator has to do or to know, and the guests that it concerns.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Afterwards {
    /// What kind of thing it is.
    pub kind: FindingKind,
    /// What it is about, as [`Finding::subject`] says.
    pub subject: String,
    /// The guests, by name.
    pub guests: Vec<GuestName>,
}

/// The findings of all guests that say what they are about, equal ones summed: first what most
/// guests share, kind by kind.
pub(super) fn sum(guests: &BTreeMap<GuestName, GuestReport>) -> Vec<Afterwards> {
    let mut sums: BTreeMap<(u8, FindingKind, &str), Vec<GuestName>> = BTreeMap::new();
    for (name, guest) in guests {
        for finding in &guest.findings {
            let Some((rank, subject)) = rank(finding.kind).zip(finding.subject.as_deref()) else {
                continue;
            };
            let names = sums.entry((rank, finding.kind, subject)).or_default();
            if names.last() != Some(name) {
                names.push(name.clone());
            }
        }
    }
    let mut sums: Vec<(u8, Afterwards)> = sums
        .into_iter()
        .map(|((rank, kind, subject), guests)| {
            let subject = subject.to_owned();
            let afterwards = Afterwards {
                kind,
                subject,
                guests,
            };
            (rank, afterwards)
        })
        .collect();
    sums.sort_by_key(|(rank, sum)| (*rank, std::cmp::Reverse(sum.guests.len())));
    sums.into_iter().map(|(_, sum)| sum).collect()
}

/// The place of a kind in the list; none for what asks for nothing.
fn rank(kind: FindingKind) -> Option<u8> {
    Some(match kind {
        FindingKind::ServiceRestartFailed => 0,
        FindingKind::RebootNeeded => 1,
        FindingKind::ServiceOutdated => 2,
        FindingKind::ProcessOutdated => 3,
        FindingKind::ConfigurationPending => 4,
        FindingKind::LibraryPreserved => 5,
        FindingKind::RepositoryDiffers => 6,
        FindingKind::Unneeded => 7,
        FindingKind::NewsUnread => 8,
        _ => return None,
    })
}

impl fmt::Display for Afterwards {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let subject = &self.subject;
        match self.kind {
            FindingKind::ServiceRestartFailed => write!(f, "{subject} did not restart well")?,
            FindingKind::RebootNeeded => write!(f, "to be rebooted, for a newer {subject}")?,
            FindingKind::ServiceOutdated => write!(f, "{subject} to be restarted")?,
            FindingKind::ProcessOutdated => write!(f, "{subject} to be ended and begun anew")?,
            FindingKind::ConfigurationPending => write!(f, "{subject} to be merged")?,
            FindingKind::LibraryPreserved => write!(f, "{subject} preserved, and still used")?,
            FindingKind::RepositoryDiffers => {
                write!(f, "ebuild repository {subject} to be synced")?
            }
            FindingKind::Unneeded => write!(f, "packages that nothing needs")?,
            _ => write!(f, "{subject} to be read")?,
        }
        let names: Vec<&str> = self.guests.iter().map(GuestName::as_str).collect();
        let count = counted(names.len(), "guest");
        let (named, others) = names.split_at(names.len().min(NAMED));
        write!(f, ": {count}, {}", named.join(" "))?;
        match others.len() {
            0 => Ok(()),
            others => write!(f, " and {others} more"),
        }
    }
}

/// What one guest's report says of findings that say more than others: a notice of emerge about
/// news is left out where the items themselves are named.
pub(super) fn without_repetition(findings: &mut Vec<Finding>) {
    let is_news = |finding: &Finding| finding.kind == FindingKind::NewsUnread;
    let are_named = findings
        .iter()
        .any(|finding| is_news(finding) && finding.subject.is_some());
    if are_named {
        findings.retain(|finding| !is_news(finding) || finding.subject.is_some());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::GuestOutcome;

    fn guest(findings: Vec<Finding>) -> GuestReport {
        GuestReport {
            outcome: GuestOutcome::Updated,
            updates: Vec::new(),
            unchanged_since: None,
            put_back: false,
            untouched: false,
            changes: Vec::new(),
            held: Vec::new(),
            failure: None,
            retried: None,
            findings,
        }
    }

    fn outdated(service: &str) -> Finding {
        Finding::new(FindingKind::ServiceOutdated, "it runs on a deleted library").about(service)
    }

    #[test]
    fn equal_findings_of_many_guests_are_one_line_and_what_asks_for_nothing_is_none() {
        let reboot = Finding::new(FindingKind::RebootNeeded, "runs 6.6, has 6.12").about("kernel");
        let guests = [
            ("db", vec![outdated("mysql"), outdated("nginx")]),
            ("mail", vec![outdated("nginx"), outdated("nginx"), reboot]),
            (
                "web",
                vec![
                    outdated("nginx"),
                    Finding::new(FindingKind::ServiceRestarted, "done").about("cron"),
                    Finding::new(FindingKind::Other, "something"),
                ],
            ),
        ];
        let guests = guests.map(|(name, findings)| (name.parse().unwrap(), guest(findings)));
        let lines: Vec<String> = sum(&guests.into())
            .iter()
            .map(ToString::to_string)
            .collect();
        assert_eq!(
            lines,
            [
                "to be rebooted, for a newer kernel: 1 guest, mail",
                "nginx to be restarted: 3 guests, db mail web",
                "mysql to be restarted: 1 guest, db",
            ]
        );
    }

    #[test]
    fn a_line_about_a_large_fleet_stays_a_line() {
        let guests = (10..60).map(|number| {
            let name = format!("g{number}").parse().unwrap();
            (name, guest(vec![outdated("nginx")]))
        });
        let line = sum(&guests.collect())[0].to_string();
        assert!(line.ends_with("g21 and 38 more"), "{line}");
        assert!(line.contains("50 guests"), "{line}");
    }

    #[test]
    fn a_notice_about_news_gives_way_to_the_items_themselves() {
        let notice = Finding::new(FindingKind::NewsUnread, "2 news items need reading");
        let item = Finding::new(FindingKind::NewsUnread, "2026-01-05-x: X").about("2026-01-05-x");
        let mut findings = vec![notice.clone(), item.clone()];
        without_repetition(&mut findings);
        assert_eq!(findings, [item]);
        let mut alone = vec![notice.clone()];
        without_repetition(&mut alone);
        assert_eq!(alone, [notice]);
    }
}
