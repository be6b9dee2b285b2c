//! What a configuration file is beside what stands in it.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use gentoo_updater_fleet::config::Settings;
use gentoo_updater_fleet::doctor::ConfigurationFacts;
use rustix::fs::{Access, access};

/// Looks at the file, and at the state directory that it names.
pub(super) fn look(settings: &Settings, path: &Path) -> ConfigurationFacts {
    // It was read a moment ago. What cannot be looked at any more has no mode that could be judged.
    let mode = std::fs::metadata(path).map_or(0, |file| file.permissions().mode());
    let text = std::fs::read_to_string(path).unwrap_or_default();
    ConfigurationFacts {
        path: path.to_owned(),
        mode,
        holds_password: holds_password(&text),
        state_directory: unusable(&settings.state_directory),
    }
}

/// Whether the URL of a broker stands there with a password.
fn holds_password(text: &str) -> bool {
    let lines = text
        .lines()
        .filter(|line| !line.trim_start().starts_with('#'));
    let words = lines.flat_map(|line| line.split(['"', '\'', ' ']));
    words
        .filter(|word| word.starts_with("amqp://") || word.starts_with("amqps://"))
        .filter_map(|url| url.split_once("://")?.1.rsplit_once('@'))
        .any(|(user, _)| user.contains(':'))
}

/// Why a folder cannot be made or written to, if so. Nothing is written for that.
fn unusable(folder: &Path) -> Option<String> {
    let there = folder.ancestors().find(|place| place.exists())?;
    if !there.is_dir() {
        return Some(format!("{} is no folder", there.display()));
    }
    let refused = access(there, Access::WRITE_OK | Access::EXEC_OK).err()?;
    Some(format!("{}: {refused}", there.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_seen_in_a_url_and_not_in_a_comment() {
        assert!(holds_password("[broker]\nurl = \"amqps://u:p@h/v\"\n"));
        assert!(holds_password("broker.url='amqp://u:p%40@h'"));
        assert!(!holds_password("#url = \"amqps://u:p@h/v\"\n"));
        assert!(!holds_password(
            "url = \"amqps://u@h/v\"\naddress = \"ssh://root@h:22\"\n"
        ));
    }

    #[test]
    fn a_state_directory_is_usable_where_it_can_be_made() {
        let folder = tempfile::tempdir().unwrap();
        let below = folder.path().join("not/there/yet");
        assert_eq!(unusable(&below), None);
        assert!(!folder.path().join("not").exists(), "nothing is made");
        std::fs::write(folder.path().join("not"), "").unwrap();
        assert!(unusable(&below).unwrap().contains("is no folder"));
    }
}
