//! What builds left on a builder beside packages, in the report's words.

use std::fmt::{self, Write};

use crate::message::{Cruft, Listed};
use crate::name::BuilderName;
use crate::words::counted;

/// How many paths of a kind stand in the text; the JSON has more of them.
const SHOWN: usize = 5;

pub(super) fn write(out: &mut String, builder: &BuilderName, cruft: &Cruft) -> fmt::Result {
    let found = counted_of(&cruft.found, "file");
    match cruft.archives.as_slice() {
        [] if cruft.found.count == 0 => {}
        [] => some(
            out,
            &format!("{found} left by builds"),
            &cruft.found,
            String::clone,
        )?,
        archives => {
            let words = format!("{found} left by builds, archived and removed");
            some(out, &words, &cruft.found, String::clone)?;
            for archive in archives {
                writeln!(out, "      archive: {builder}:{}", archive.path)?;
            }
            writeln!(
                out,
                "      `gentoo-updater cruft list` shows them all, `cruft restore` puts them back"
            )?;
        }
    }
    let stays = counted_of(&cruft.stays, "other new file");
    some(out, &format!("{stays} left alone"), &cruft.stays, |one| {
        format!("{}: {}", one.path, one.why)
    })?;
    let changed = counted_of(&cruft.changed, "file");
    let words = format!("{changed} of before changed");
    some(out, &words, &cruft.changed, |one| {
        format!("{}: {}", one.path, one.what.join(", "))
    })?;
    // Whose they are nobody knows: an administrator may have made them meanwhile.
    for (what, names, remedy) in [
        ("user", &cruft.users, "userdel removes what nobody needs"),
        ("group", &cruft.groups, "groupdel removes what nobody needs"),
    ] {
        if !names.is_empty() {
            let number = counted(names.len(), what);
            let names = names.join(" ");
            writeln!(
                out,
                "      ! {number} new since the run began, of no installed package: {names}; {remedy}"
            )?;
        }
    }
    if !cruft.accounts_changed.is_empty() {
        let names = cruft.accounts_changed.join(" ");
        writeln!(
            out,
            "      ! users or groups defined otherwise now: {names}"
        )?;
    }
    if let Some(trouble) = &cruft.trouble {
        writeln!(
            out,
            "      ! files that builds left could not be removed: {trouble}"
        )?;
    }
    Ok(())
}

fn counted_of<T>(listed: &Listed<T>, what: &str) -> String {
    counted(usize::try_from(listed.count).unwrap_or(usize::MAX), what)
}

/// A line with the words, and some of what is meant; nothing where there is nothing.
fn some<T>(
    out: &mut String,
    words: &str,
    listed: &Listed<T>,
    one: impl Fn(&T) -> String,
) -> fmt::Result {
    if listed.count == 0 {
        return Ok(());
    }
    writeln!(out, "      {words}")?;
    for it in listed.first.iter().take(SHOWN) {
        writeln!(out, "        {}", one(it))?;
    }
    let shown = listed.first.len().min(SHOWN) as u64;
    if listed.count > shown {
        writeln!(out, "        … and {} more", listed.count - shown)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::{CruftArchive, Staying};

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
        let mut text = String::new();
        write(&mut text, &"b1".parse().unwrap(), &cruft).unwrap();
        let expected = "      60 files left by builds, archived and removed
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
        assert_eq!(text, expected);
        let mut nothing = String::new();
        write(&mut nothing, &"b1".parse().unwrap(), &Cruft::default()).unwrap();
        assert_eq!(nothing, "");
    }
}
