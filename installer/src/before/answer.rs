//! The answer of `before/look.sh`, line by line. Pure.

use std::collections::{BTreeMap, BTreeSet};

use gentoo_updater_portage::cpv::Cpv;
use gentoo_updater_portage::name::SlotAndSubslot;
use gentoo_updater_runtime::space::free_kilobytes;

/// What a machine has and can hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Answer {
    /// By folder; the first that was asked for is where Portage unpacks.
    pub(super) spaces: BTreeMap<String, Space>,
    /// Bytes of binaries that were fetched already.
    pub(super) fetched: u64,
    /// The installed versions of the packages that were asked for.
    pub(super) installed: Vec<Replaced>,
    /// Libraries by soname. One that the machine has not, or that cannot be read, is absent.
    pub(super) libraries: BTreeMap<String, Library>,
}

/// The file system of a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Space {
    /// Two folders with one device share their space.
    pub(super) device: String,
    pub(super) free: u64,
}

/// A version that is installed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Replaced {
    pub(super) cpv: Cpv,
    pub(super) slot: SlotAndSubslot,
    /// Bytes, where Portage wrote them down.
    pub(super) size: Option<u64>,
}

/// A library and the versions of symbols that it defines.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Library {
    pub(super) path: String,
    pub(super) versions: BTreeSet<String>,
}

/// Reads the whole answer.
///
/// # Errors
/// The line that is not understood, or that the answer was cut.
pub(super) fn parse(text: &str) -> Result<Answer, String> {
    let mut answer = Answer::default();
    let mut library = None;
    let mut is_whole = false;
    for line in text.lines() {
        read_line(&mut answer, &mut library, &mut is_whole, line)
            .ok_or_else(|| format!("this line is not understood: {line:?}"))?;
    }
    if !is_whole {
        return Err("it was cut: its last line is missing".to_owned());
    }
    Ok(answer)
}

fn read_line(
    answer: &mut Answer,
    library: &mut Option<String>,
    is_whole: &mut bool,
    line: &str,
) -> Option<()> {
    let mut fields = line.split('\t');
    match fields.next()? {
        "space" => {
            let folder = fields.next()?.to_owned();
            let device = fields.next()?.to_owned();
            let free = free_kilobytes(fields.next()?)?.saturating_mul(1024);
            answer.spaces.insert(folder, Space { device, free });
        }
        "fetched" => {
            let kilobytes: u64 = fields.next()?.parse().ok()?;
            answer.fetched = kilobytes.saturating_mul(1024);
        }
        "installed" => {
            let name = fields.next()?;
            let slot = fields.next()?;
            let size = fields.next()?.trim().parse().ok();
            // A name such as `hello-1` begins another package's, and Portage leaves folders of
            // merges that broke off; neither has a slot that is one.
            if let (Ok(cpv), Ok(slot)) = (name.parse(), slot.parse()) {
                answer.installed.push(Replaced { cpv, slot, size });
            }
        }
        "library" => {
            let soname = fields.next()?.to_owned();
            let path = fields.next()?.to_owned();
            let found = Library {
                path,
                ..Library::default()
            };
            answer.libraries.insert(soname.clone(), found);
            *library = Some(soname);
        }
        "version" => {
            let library = answer.libraries.get_mut(library.as_ref()?)?;
            library.versions.insert(fields.next()?.to_owned());
        }
        "end" => *is_whole = true,
        _ => return None,
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As `look.sh` printed it on a guest of the lab.
    const ANSWER: &str = include_str!("../../tests/fixtures/before.txt");

    #[test]
    fn an_answer_is_read_whole_or_not_at_all() {
        let answer = parse(ANSWER).unwrap();
        assert!(answer.spaces["/var/tmp/portage"].free > 0);
        assert_eq!(answer.spaces["/usr"].device, answer.spaces["/etc"].device);
        let hello = &answer.installed[0];
        assert_eq!(hello.cpv.to_string(), "app-misc/hello-1.0");
        assert!(hello.size.is_some_and(|size| size > 0), "{hello:?}");
        let libc = &answer.libraries["libc.so.6"];
        assert!(libc.versions.contains("GLIBC_2.34"), "{libc:?}");
        assert!(!libc.versions.contains("GLIBC_9.99"), "{libc:?}");
        assert!(!answer.libraries.contains_key("libnever.so.1"));
        let cut = ANSWER.trim_end().rfind('\n').unwrap();
        assert!(parse(&ANSWER[..cut]).is_err());
        assert!(parse(&ANSWER.replace("space\t", "room\t")).is_err());
        assert!(parse("space\t/usr\t5\tdf: /usr: Stale file handle\nend\t\n").is_err());
    }
}
