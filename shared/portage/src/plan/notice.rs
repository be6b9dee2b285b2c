//! What emerge says beside the list of packages.

use serde::{Deserialize, Serialize};

use crate::atom::Atom;

/// One thing that emerge said beside the list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notice {
    /// What it means.
    #[serde(flatten)]
    pub kind: NoticeKind,
    /// The words of emerge, without escape sequences, empty lines at both ends removed.
    pub text: String,
}

/// What a notice means for the plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum NoticeKind {
    /// Arguments, or atoms of the world file, which no visible ebuild satisfies. The exit status is
    /// 0 all the same, and the rows are those of the other atoms.
    WorldAtomWithoutEbuild {
        /// The atoms.
        atoms: Vec<Atom>,
    },
    /// All packages that could satisfy a dependency are masked.
    Masked,
    /// The plan needs changes of configuration: USE, keywords, licences or masks.
    Autounmask,
    /// Two versions that would need the same slot.
    SlotConflict,
    /// Packages that need each other to be built.
    Circular,
    /// The flags of a package contradict its REQUIRED_USE.
    RequiredUse,
    /// Updates or rebuilds were left out of the plan. The exit status is 0 all the same.
    SkippedUpdates,
    /// An ebuild repository is not there, or cannot be read.
    RepositoryMissing,
    /// The profile or the configuration is broken.
    ProfileBroken,
    /// No ebuild satisfies an argument or a dependency.
    NoEbuild,
    /// No binary package satisfies an argument or a dependency.
    MissingBinary,
    /// A dependency is not installed, and must be before the package is built.
    MissingDependency,
    /// Packages that cannot be installed at the same time.
    Blocked,
    /// Binary packages were left aside, because their USE flags, their dependencies or the user's
    /// patches differ.
    UseMismatch,
    /// Portage or Python ended with an exception.
    Crash,
    /// Installed packages would be masked today. They stay.
    InstalledMasked,
    /// Requested packages are in `package.provided` and are not installed.
    Provided,
    /// Binary packages are to be fetched, but no server is configured.
    BinaryServerMissing,
    /// The machine has no compiler.
    CompilerMissing,
    /// Dependencies of ebuilds changed without a revision bump (`--changed-deps-report=y`).
    DependenciesChanged,
    /// Which packages of the list cause rebuilds of which.
    CausesRebuilds,
    /// Sources have to be fetched by hand, and how.
    FetchInstructions,
    /// Configuration files wait to be merged.
    ConfigurationFiles,
    /// News wait to be read.
    NewsUnread,
    /// A warning or an error that this reader does not know.
    Unrecognised,
    /// Other words, that do not look like a warning: what a login shell prints, for example.
    Noise,
}

impl NoticeKind {
    /// Whether the plan is not what was asked for, or not all of it, because of this.
    #[must_use]
    pub fn is_objection(&self) -> bool {
        match self {
            Self::WorldAtomWithoutEbuild { .. }
            | Self::Masked
            | Self::Autounmask
            | Self::SlotConflict
            | Self::Circular
            | Self::RequiredUse
            | Self::SkippedUpdates
            | Self::RepositoryMissing
            | Self::ProfileBroken
            | Self::NoEbuild
            | Self::MissingBinary
            | Self::MissingDependency
            | Self::Blocked
            | Self::UseMismatch
            | Self::Crash
            | Self::Unrecognised => true,
            Self::InstalledMasked
            | Self::Provided
            | Self::BinaryServerMissing
            | Self::CompilerMissing
            | Self::DependenciesChanged
            | Self::CausesRebuilds
            | Self::FetchInstructions
            | Self::ConfigurationFiles
            | Self::NewsUnread
            | Self::Noise => false,
        }
    }

    /// Whether a plan without rows cannot be believed because of this. A world atom without an
    /// ebuild is compatible with everything else being up to date; the other objections are not.
    #[must_use]
    pub fn contradicts_an_empty_plan(&self) -> bool {
        self.is_objection() && !matches!(self, Self::WorldAtomWithoutEbuild { .. })
    }
}

/// How far a notice reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Until {
    /// To the next empty line.
    EmptyLine,
    /// To the line that begins another notice: its text has paragraphs.
    NextNotice,
}

/// How notices begin, with what they mean. From `_emerge/depgraph.py`, `_emerge/actions.py`,
/// `portage/repository/config.py` and `portage/package/ebuild/config.py` of Portage 3.0.
#[rustfmt::skip]
const BEGINNINGS: &[(&str, NoticeKind, Until)] = {
    use NoticeKind as K;
    use Until::{EmptyLine, NextNotice};
    &[
        ("!!! All ebuilds that could satisfy", K::Masked, NextNotice),
        ("!!! All ebuild(s) that could satisfy", K::Masked, NextNotice),
        ("!!! All binary packages that could satisfy", K::Masked, NextNotice),
        ("!!! The following updates are masked by LICENSE changes", K::Masked, NextNotice),
        ("The following USE changes are necessary to proceed", K::Autounmask, NextNotice),
        ("The following keyword changes are necessary to proceed", K::Autounmask, NextNotice),
        ("The following mask changes are necessary to proceed", K::Autounmask, NextNotice),
        ("The following license changes are necessary to proceed", K::Autounmask, NextNotice),
        ("!!! Multiple package instances within a single package slot", K::SlotConflict, NextNotice),
        ("* Error: circular dependencies", K::Circular, NextNotice),
        ("!!! Problem resolving dependencies for", K::RequiredUse, EmptyLine),
        ("!!! The ebuild selected to satisfy", K::RequiredUse, NextNotice),
        ("WARNING: One or more updates/rebuilds have been skipped", K::SkippedUpdates, NextNotice),
        ("!!! The following update(s) have been skipped", K::SkippedUpdates, NextNotice),
        ("!!! The following update has been skipped", K::SkippedUpdates, NextNotice),
        ("WARNING: One or more repositories have missing repo_name", K::RepositoryMissing, NextNotice),
        ("!!! Section ", K::RepositoryMissing, EmptyLine),
        ("!!! Invalid Repository Location", K::RepositoryMissing, EmptyLine),
        ("!!! Location not set for repository", K::RepositoryMissing, EmptyLine),
        ("!!! Repository name or alias", K::RepositoryMissing, EmptyLine),
        ("!!! Error while reading repo config file", K::RepositoryMissing, EmptyLine),
        ("!!! Your current profile is invalid", K::ProfileBroken, EmptyLine),
        ("!!! Unable to parse profile", K::ProfileBroken, EmptyLine),
        ("!!! /etc/portage/make.profile", K::ProfileBroken, EmptyLine),
        ("!!! ParseError", K::ProfileBroken, EmptyLine),
        ("Undefined license group", K::ProfileBroken, EmptyLine),
        ("emerge: there are no ebuilds", K::NoEbuild, EmptyLine),
        ("emerge: searching for similar names", K::NoEbuild, EmptyLine),
        ("emerge: Maybe you meant", K::NoEbuild, EmptyLine),
        ("emerge: there are no binary packages", K::MissingBinary, EmptyLine),
        ("!!! --buildpkgonly requires all dependencies", K::MissingDependency, EmptyLine),
        ("* Error: The above package list contains packages which cannot be", K::Blocked, NextNotice),
        ("!!! The following binary packages have been ignored", K::UseMismatch, NextNotice),
        ("Traceback (most recent call last)", K::Crash, NextNotice),
        ("!!! The following installed packages are masked", K::InstalledMasked, NextNotice),
        ("WARNING: A requested package will not be merged because it is listed in", K::Provided, NextNotice),
        ("WARNING: Requested packages will not be merged because they are listed in", K::Provided, NextNotice),
        ("!!! binrepos.conf is missing", K::BinaryServerMissing, EmptyLine),
        ("!!! No gcc found", K::CompilerMissing, EmptyLine),
        ("!!! Detected ebuild dependency change(s)", K::DependenciesChanged, NextNotice),
        ("The following packages are causing rebuilds", K::CausesRebuilds, NextNotice),
        ("Fetch instructions for", K::FetchInstructions, EmptyLine),
        ("* Please download", K::FetchInstructions, EmptyLine),
        // These end in a line that begins with an asterisk too; the number before "news items"
        // and "config files" is cut away before the comparison.
        ("* IMPORTANT: news items need reading", K::NewsUnread, EmptyLine),
        ("* IMPORTANT: config files in", K::ConfigurationFiles, EmptyLine),
        ("* IMPORTANT: config file", K::ConfigurationFiles, EmptyLine),
        // Whatever else looks like a warning.
        ("WARNING", K::Unrecognised, EmptyLine),
        ("ERROR", K::Unrecognised, EmptyLine),
        ("* Error", K::Unrecognised, NextNotice),
        ("* ERROR", K::Unrecognised, NextNotice),
        ("emerge: ", K::Unrecognised, EmptyLine),
    ]
};

/// The beginning of the notice that holds the world atoms which have no ebuild. One line follows
/// that ends the sentence, and one that holds the atoms.
const ATOMS_WITHOUT_EBUILD: &str = "!!! Ebuilds for the following packages are either all";

/// Always followed by the notice that names the atoms.
const WORLD_FILE_PROBLEM: &str = "!!! Problems have been detected with your world file";

fn beginning(line: &str) -> Option<(NoticeKind, Until)> {
    let line = line.trim_start();
    let without_number = line.strip_prefix("* IMPORTANT: ").map(|rest| {
        format!(
            "* IMPORTANT: {}",
            rest.trim_start_matches(|c: char| c.is_ascii_digit())
                .trim_start()
        )
    });
    let line = without_number.as_deref().unwrap_or(line);
    let found = BEGINNINGS
        .iter()
        .find(|(start, _, _)| line.starts_with(start));
    found.map(|(_, kind, until)| (kind.clone(), *until))
}

/// Divides text into notices. `text` holds no escape sequences.
pub(super) fn parse<'a>(lines: impl Iterator<Item = &'a str>) -> Vec<Notice> {
    let mut notices: Vec<(NoticeKind, Until, Vec<&str>)> = Vec::new();
    let mut open = false;
    let mut after_empty_line = true;
    let mut world_file_problem = false;
    let mut lines = lines.map(str::trim_end);
    while let Some(line) = lines.next() {
        if line.is_empty() {
            after_empty_line = true;
            if let Some((_, until, text)) = notices.last_mut().filter(|_| open) {
                open = *until == Until::NextNotice;
                text.push(line);
            }
            continue;
        }
        if line.starts_with(WORLD_FILE_PROBLEM) {
            world_file_problem = true;
            notices.push((NoticeKind::Unrecognised, Until::EmptyLine, vec![line]));
            open = true;
        } else if line.starts_with(ATOMS_WITHOUT_EBUILD) {
            let text: Vec<&str> = std::iter::once(line)
                .chain(lines.by_ref().take(2))
                .collect();
            let kind = atoms_without_ebuild(&text);
            let understood = kind != NoticeKind::Unrecognised;
            if understood && world_file_problem {
                // The sentence about the world file says nothing beyond this.
                notices.retain(|(_, _, text)| !text[0].starts_with(WORLD_FILE_PROBLEM));
            }
            notices.push((kind, Until::EmptyLine, text));
            open = false;
        } else if let Some((kind, until)) = beginning(line) {
            notices.push((kind, until, vec![line]));
            open = true;
        } else if line.starts_with("!!!") && (after_empty_line || !open) {
            notices.push((NoticeKind::Unrecognised, Until::EmptyLine, vec![line]));
            open = true;
        } else if let Some((_, _, text)) = notices.last_mut().filter(|_| open) {
            text.push(line);
        } else {
            notices.push((NoticeKind::Noise, Until::EmptyLine, vec![line]));
            open = true;
        }
        after_empty_line = false;
    }
    notices
        .into_iter()
        .map(|(kind, _, text)| finish(kind, &text))
        .collect()
}

/// Reads the line of atoms. What is not understood is kept as a warning that is not understood.
fn atoms_without_ebuild(text: &[&str]) -> NoticeKind {
    let [_, "!!! masked or don't exist:", atoms] = text else {
        return NoticeKind::Unrecognised;
    };
    let atoms: Result<Vec<Atom>, _> = atoms.split_ascii_whitespace().map(str::parse).collect();
    match atoms {
        Ok(atoms) if !atoms.is_empty() => NoticeKind::WorldAtomWithoutEbuild { atoms },
        _ => NoticeKind::Unrecognised,
    }
}

fn finish(kind: NoticeKind, lines: &[&str]) -> Notice {
    let text = lines.join("\n").trim_matches('\n').to_owned();
    let kind = match kind {
        NoticeKind::Masked if text.contains("masked by: use flag configuration mismatch") => {
            NoticeKind::UseMismatch
        }
        // The repository is there, but the user "portage" cannot read it.
        NoticeKind::Masked | NoticeKind::InstalledMasked
            if text.contains("masked by: corruption") =>
        {
            NoticeKind::RepositoryMissing
        }
        kind => kind,
    };
    Notice { kind, text }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kinds(text: &str) -> Vec<NoticeKind> {
        parse(text.lines())
            .into_iter()
            .map(|notice| notice.kind)
            .collect()
    }

    #[test]
    fn a_warning_that_is_not_known_does_not_hide_behind_one_that_is() {
        let text = "\n!!! Problems have been detected with your world file\n\
                    !!! Please run emaint --check world\n\n\n\
                    !!! Ebuilds for the following packages are either all\n\
                    !!! masked or don't exist:\napp-misc/gone =app-misc/far-1:2\n\
                    !!! Something new\n!!! of two lines\n\nWARNING: and another\n\nwords\n";
        let notices = parse(text.lines());
        assert_eq!(notices.len(), 4);
        let atoms = ["app-misc/gone", "=app-misc/far-1:2"].map(|atom| atom.parse().unwrap());
        let expected = NoticeKind::WorldAtomWithoutEbuild {
            atoms: atoms.into(),
        };
        assert_eq!(notices[0].kind, expected);
        assert_eq!(notices[1].kind, NoticeKind::Unrecognised);
        assert_eq!(notices[1].text, "!!! Something new\n!!! of two lines");
        assert_eq!(notices[2].kind, NoticeKind::Unrecognised);
        assert_eq!(notices[3].kind, NoticeKind::Noise);
    }

    #[test]
    fn a_world_file_problem_without_its_atoms_is_not_forgotten() {
        let problem = "!!! Problems have been detected with your world file\n";
        assert_eq!(kinds(problem), [NoticeKind::Unrecognised]);
        let without_atoms = format!(
            "{problem}\n!!! Ebuilds for the following packages are either all\n!!! masked or"
        );
        assert_eq!(
            kinds(&without_atoms),
            [NoticeKind::Unrecognised, NoticeKind::Unrecognised]
        );
    }

    #[test]
    fn numbers_of_news_and_configuration_files_do_not_matter() {
        let text = " * IMPORTANT: 12 news items need reading for repository 'gentoo'.\n\
                    * Use eselect news read to view new items.\n\n\
                    * IMPORTANT: 3 config files in '/etc' need updating.\n";
        assert_eq!(
            kinds(text),
            [NoticeKind::NewsUnread, NoticeKind::ConfigurationFiles]
        );
    }

    #[test]
    fn a_notice_reads_as_json_with_its_kind() {
        let notice = Notice {
            kind: NoticeKind::SlotConflict,
            text: "x".into(),
        };
        let json = serde_json::to_string(&notice).unwrap();
        assert_eq!(json, r#"{"kind":"slot_conflict","text":"x"}"#);
        assert_eq!(serde_json::from_str::<Notice>(&json).unwrap(), notice);
    }
}
