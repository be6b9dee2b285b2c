//! What builds left on a builder beside packages, in the report's words.

use super::outline::{Entry, Mark};
use crate::message::{Cruft, Listed};
use crate::name::BuilderName;
use crate::words::counted;

/// How many paths of a kind stand in the text; the JSON has more of them.
const SHOWN: usize = 5;

pub(super) fn entries(builder: &BuilderName, cruft: &Cruft) -> Vec<Entry> {
    let mut entries = Vec::new();
    let found = counted_of(&cruft.found, "file");
    match cruft.archives.as_slice() {
        [] => {
            let words = format!("{found} left by builds");
            entries.extend(some(words, &cruft.found, String::clone));
        }
        archives => {
            let words = format!("{found} left by builds, archived and removed");
            entries.extend(some(words, &cruft.found, String::clone));
            let archive = |path| Entry::plain(format!("archive: {builder}:{path}"));
            entries.extend(archives.iter().map(|it| archive(&it.path)));
            entries.push(Entry::plain(
                "`gentoo-updater cruft list` shows them all, `cruft restore` puts them back",
            ));
        }
    }
    let stays = counted_of(&cruft.stays, "other new file");
    let words = format!("{stays} left alone");
    entries.extend(some(words, &cruft.stays, |one| {
        format!("{}: {}", one.path, one.why)
    }));
    let changed = counted_of(&cruft.changed, "file");
    let words = format!("{changed} of before changed");
    entries.extend(some(words, &cruft.changed, |one| {
        format!("{}: {}", one.path, one.what.join(", "))
    }));
    // Whose they are nobody knows: an administrator may have made them meanwhile.
    for (what, names, remedy) in [
        ("user", &cruft.users, "userdel removes what nobody needs"),
        ("group", &cruft.groups, "groupdel removes what nobody needs"),
    ] {
        if !names.is_empty() {
            let number = counted(names.len(), what);
            let names = names.join(" ");
            entries.push(Entry::finding(format!(
                "{number} new since the run began, of no installed package: {names}; {remedy}"
            )));
        }
    }
    if !cruft.accounts_changed.is_empty() {
        let names = cruft.accounts_changed.join(" ");
        entries.push(Entry::finding(format!(
            "users or groups defined otherwise now: {names}"
        )));
    }
    if let Some(trouble) = &cruft.trouble {
        entries.push(Entry::finding(format!(
            "files that builds left could not be removed: {trouble}"
        )));
    }
    entries
}

fn counted_of<T>(listed: &Listed<T>, what: &str) -> String {
    counted(usize::try_from(listed.count).unwrap_or(usize::MAX), what)
}

/// Words with some of what is meant; nothing where there is nothing.
fn some<T>(words: String, listed: &Listed<T>, one: impl Fn(&T) -> String) -> Option<Entry> {
    if listed.count == 0 {
        return None;
    }
    let shown = listed.first.iter().take(SHOWN);
    let mut entries: Vec<Entry> = shown.map(|it| Entry::plain(one(it))).collect();
    let shown = entries.len() as u64;
    if listed.count > shown {
        let more = listed.count - shown;
        entries.push(Entry::plain(format!("… and {more} more")));
    }
    Some(Entry::item(Mark::Plain, words, entries))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::{CruftArchive, Staying};
    use crate::report::outline::Outline;

    #[test]
    fn the_first_paths_are_shown_and_the_number_of_the_others() {
        let paths = (0..7).map(|number| format!("/etc/{number}"));
        let cruft = Cruft {
            found: Listed {
                count: 60,
                first: paths.collect(),
            },
            archives: vec![CruftArchive {
                path: "/a".to_owned(),
                files: 60,
                size: 1,
            }],
            stays: Listed {
                count: 1,
                first: vec![Staying {
                    path: "/etc/bar".to_owned(),
                    why: "in use".to_owned(),
                }],
            },
            users: vec!["foo".to_owned()],
            ..Cruft::default()
        };
        let text = |cruft| {
            let entry = Entry::item(Mark::Plain, "b1", entries(&"b1".parse().unwrap(), cruft));
            let mut outline = Outline::default();
            outline.section(2, "Builders", vec![entry]);
            outline.to_text()
        };
        let expected = "\nBuilders\n  b1\n      60 files left by builds, archived and removed
        /etc/0
        /etc/1
        /etc/2
        /etc/3
        /etc/4
        … and 55 more
      archive: b1:/a
      `gentoo-updater cruft list` shows them all, `cruft restore` puts them back
      1 other new file left alone
        /etc/bar: in use
      ! 1 user new since the run began, of no installed package: foo; userdel removes what nobody needs
";
        assert_eq!(text(&cruft), expected);
        assert_eq!(text(&Cruft::default()), "\nBuilders\n  b1\n");
    }
}
