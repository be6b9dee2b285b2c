//! How notices begin, with what they mean.

use super::NoticeKind;

/// How far a notice reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Until {
    /// To the next empty line.
    EmptyLine,
    /// To the line that begins another notice: its text has paragraphs.
    NextNotice,
}

/// The beginnings, without the blanks before them. From `_emerge/depgraph.py`,
/// `_emerge/actions.py`, `_emerge/resolver/slot_collision.py`, `portage/repository/config.py`,
/// `portage/package/ebuild/config.py` and their neighbours, of Portage 2.1.6 to 3.0.83; where a
/// version is named, the words are of that version and those around it. The first that fits counts.
#[rustfmt::skip]
const BEGINNINGS: &[(&str, NoticeKind, Until)] = {
    use NoticeKind as K;
    use Until::{EmptyLine, NextNotice};
    const MASKED: NoticeKind = K::Masked { atom: None, packages: Vec::new() };
    const AUTOUNMASK: NoticeKind = K::Autounmask { changes: Vec::new() };
    const SLOT_CONFLICT: NoticeKind = K::SlotConflict { packages: Vec::new() };
    const REQUIRED_USE: NoticeKind = K::RequiredUse { package: None };
    const SKIPPED: NoticeKind = K::SkippedUpdates { atoms: Vec::new(), packages: Vec::new() };
    const NO_EBUILD: NoticeKind = K::NoEbuild { atom: None };
    &[
        ("!!! All ebuilds that could satisfy", MASKED, NextNotice),
        ("!!! All ebuild(s) that could satisfy", MASKED, NextNotice),
        ("!!! All binary packages that could satisfy", MASKED, NextNotice),
        ("!!! The following updates are masked by LICENSE changes", MASKED, NextNotice),
        ("The following USE changes are necessary to proceed", AUTOUNMASK, NextNotice),
        ("The following keyword changes are necessary to proceed", AUTOUNMASK, NextNotice),
        ("The following mask changes are necessary to proceed", AUTOUNMASK, NextNotice),
        ("The following license changes are necessary to proceed", AUTOUNMASK, NextNotice),
        ("!!! Multiple package instances within a single package slot", SLOT_CONFLICT, NextNotice),
        ("!!! Multiple versions within a single package slot", SLOT_CONFLICT, NextNotice),
        ("!!! The slot conflict(s) shown above involve", SLOT_CONFLICT, NextNotice),
        ("!!! Enabling --newuse and --update might solve this conflict", SLOT_CONFLICT, NextNotice),
        ("It might be possible to solve this slot collision", SLOT_CONFLICT, NextNotice),
        ("It might be possible to solve these slot collisions", SLOT_CONFLICT, NextNotice),
        ("* Error: circular dependencies", K::Circular { packages: Vec::new() }, NextNotice),
        ("!!! Problem resolving dependencies for", K::Unresolved, EmptyLine),
        ("!!! The ebuild selected to satisfy", REQUIRED_USE, NextNotice),
        ("!!! Invalid REQUIRED_USE specified by", REQUIRED_USE, EmptyLine),
        ("WARNING: One or more updates/rebuilds have been skipped", SKIPPED, NextNotice),
        // 2.1.11 to 2.2.4, and 2.1.7 to 2.1.9.
        ("WARNING: One or more updates have been skipped", SKIPPED, NextNotice),
        ("!!! One or more updates have been skipped", SKIPPED, NextNotice),
        ("!!! The following update(s) have been skipped", SKIPPED, NextNotice),
        ("!!! The following update has been skipped", SKIPPED, NextNotice),

        ("WARNING: One or more repositories have missing repo_name", K::RepositoryMissing, NextNotice),
        ("WARNING: One or more repositories have been ignored", K::RepositoryMissing, NextNotice),
        ("!!! Section ", K::RepositoryMissing, EmptyLine),
        ("!!! Invalid Repository Location", K::RepositoryMissing, EmptyLine),
        ("!!! Invalid PORTDIR_OVERLAY", K::RepositoryMissing, EmptyLine),
        ("!!! Location not set for repository", K::RepositoryMissing, EmptyLine),
        ("!!! Repository name or alias", K::RepositoryMissing, EmptyLine),
        ("!!! Error while reading repo config file", K::RepositoryMissing, EmptyLine),
        ("!!! main-repo not set", K::RepositoryMissing, EmptyLine),
        ("!!! PORTDIR is undefined", K::RepositoryMissing, EmptyLine),
        ("!!! aux_get(): ", K::RepositoryMissing, EmptyLine),
        ("Unavailable repository '", K::RepositoryMissing, EmptyLine),
        ("--- 'profiles/arch.list' is empty or not available", K::RepositoryMissing, EmptyLine),
        ("!!! Repository '", K::Setting, EmptyLine),
        ("!!! Set 'masters =", K::Setting, EmptyLine),

        ("!!! Your current profile is invalid", K::ProfileBroken, EmptyLine),
        ("!!! Your current profile is deprecated", K::ProfileDeprecated, NextNotice),
        ("!!! Unable to parse profile", K::ProfileBroken, EmptyLine),
        ("!!! ParseError", K::ProfileBroken, EmptyLine),
        ("!!! News items will not be displayed due to an invalid profile", K::ProfileBroken, EmptyLine),
        ("!!! Directory initialization failed", K::ProfileBroken, EmptyLine),
        ("!!! INVALID ACCEPT_KEYWORDS", K::ProfileBroken, EmptyLine),
        ("!!! You have no system list", K::ProfileBroken, EmptyLine),
        ("!!! /etc/portage/make.profile", K::ProfileBroken, EmptyLine),
        ("!!! /etc/make.profile", K::ProfileBroken, EmptyLine),
        ("Undefined license group", K::ProfileBroken, EmptyLine),
        ("--- Invalid ", K::ConfigurationIgnored, EmptyLine),
        ("--- Atom is not allowed to have USE flag(s) in ", K::ConfigurationIgnored, EmptyLine),
        ("--- EAPI '", K::ConfigurationIgnored, EmptyLine),
        ("Invalid package name in package.provided", K::ConfigurationIgnored, EmptyLine),
        ("Skipping invalid element ", K::ConfigurationIgnored, EmptyLine),
        ("Circular license group reference detected in ", K::ConfigurationIgnored, EmptyLine),
        ("--- Unmatched removal atom", K::Setting, EmptyLine),

        ("emerge: there are no ebuilds", NO_EBUILD, EmptyLine),
        ("emerge: searching for similar names", NO_EBUILD, EmptyLine),
        ("emerge: Maybe you meant", NO_EBUILD, EmptyLine),
        ("emerge: there are no binary packages", K::MissingBinary { atom: None }, EmptyLine),
        ("!!! --buildpkgonly requires all dependencies", K::MissingDependency, EmptyLine),
        ("!!! --quickpkg-direct requires all dependencies", K::MissingDependency, EmptyLine),
        ("* Error: The above package list contains packages which cannot be", K::Blocked { packages: Vec::new() }, NextNotice),
        ("!!! The short ebuild name", K::InvalidArgument, NextNotice),
        ("emerge: the given set", K::InvalidArgument, EmptyLine),
        ("emerge: There are no sets to satisfy", K::InvalidArgument, EmptyLine),
        ("!!! The set '", K::InvalidArgument, EmptyLine),
        ("usage: emerge", K::InvalidArgument, EmptyLine),
        ("*** You need to adjust", K::InvalidArgument, EmptyLine),
        ("*** You are emerging a masked package", K::InvalidArgument, EmptyLine),
        ("*** Package is missing CATEGORY", K::BinaryUnusable, EmptyLine),
        ("!!! Invalid RDEPEND in", K::BrokenPackage, EmptyLine),
        ("!!! Invalid PROVIDE in", K::BrokenPackage, EmptyLine),
        ("!!! Invalid db entry", K::BrokenPackage, EmptyLine),
        ("Invalid ebuild name: ", K::BrokenPackage, EmptyLine),
        ("Invalid ebuild version: ", K::BrokenPackage, EmptyLine),
        ("Invalid package name: ", K::BrokenPackage, EmptyLine),
        ("!!! Invalid or corrupt dependency specification", K::BrokenPackage, NextNotice),
        ("!!! An atom in the dependencies", K::BrokenPackage, NextNotice),
        ("!!! Parse error in '", K::BrokenPackage, EmptyLine),

        ("!!! The following binary packages have been ignored", K::UseMismatch, NextNotice),
        ("!!! These user patches are triggering", K::UseMismatch, NextNotice),
        ("!!! PORTAGE_BINHOST unset", K::BinaryServerMissing, EmptyLine),
        ("!!! Invalid binary package", K::BinaryUnusable, EmptyLine),
        ("!!! Binary package", K::BinaryUnusable, EmptyLine),
        ("!!! Permission denied to read binary package", K::BinaryUnusable, EmptyLine),
        ("!!! Error fetching binhost package", K::BinaryUnusable, EmptyLine),
        ("!!! Malformed SIZE attribute", K::BinaryUnusable, EmptyLine),
        ("!!! Error while reading binrepo config file", K::BinaryUnusable, EmptyLine),
        ("!!! Missing sync-uri setting for binrepo", K::BinaryUnusable, EmptyLine),
        ("!!! Portage trust helper", K::BinaryUnusable, EmptyLine),
        ("Local XPAK packages are ignored", K::BinaryUnusable, EmptyLine),

        ("Traceback (most recent call last)", K::Crash, NextNotice),
        ("!!! Failed to complete p", K::Crash, NextNotice),
        ("!!! Dependency calculation in a child process failed", K::Crash, NextNotice),
        ("!!! The following installed packages are masked", K::InstalledMasked { packages: Vec::new() }, NextNotice),
        ("WARNING: A requested package will not be merged because it is listed in", K::Provided, NextNotice),
        ("WARNING: Requested packages will not be merged because they are listed in", K::Provided, NextNotice),
        ("!!! No gcc found", K::CompilerMissing, EmptyLine),
        ("!!! Detected ebuild dependency change(s)", K::DependenciesChanged, NextNotice),
        ("The following packages are causing rebuilds", K::CausesRebuilds, NextNotice),
        ("Fetch instructions for", K::FetchInstructions, EmptyLine),
        ("* Please download", K::FetchInstructions, EmptyLine),
        ("Portage tree and overlays:", K::RepositoryNumbers, EmptyLine),
        ("Repositories:", K::RepositoryNumbers, EmptyLine),
        ("*** Portage will stop merging at this point and reload itself", K::PortageRestarts, EmptyLine),
        // The number before "news items" and "config files" is cut away before the comparison.
        ("* IMPORTANT: news items need reading", K::NewsUnread, EmptyLine),
        ("* IMPORTANT: config files in", K::ConfigurationFiles, EmptyLine),
        ("* IMPORTANT: config file", K::ConfigurationFiles, EmptyLine),

        ("!!! Problem with sandbox binary", K::Setting, EmptyLine),
        ("!!! FEATURES=", K::Setting, EmptyLine),
        ("!!! CONFIG_PROTECT is empty", K::Setting, EmptyLine),
        ("!!! SYNC setting found in make.conf", K::Setting, EmptyLine),
        ("!!! SYNC is undefined", K::Setting, EmptyLine),
        ("!!! Found obsolete make.globals", K::Setting, EmptyLine),
        ("!!! Found 2 make.", K::Setting, EmptyLine),
        ("!!! /etc/portage/virtuals is deprecated", K::Setting, EmptyLine),
        ("!!! BINPKG_FORMAT contains invalid", K::Setting, EmptyLine),
        ("!!! BINPKG_COMPRESS", K::Setting, EmptyLine),
        ("!!! SELinux ", K::Setting, EmptyLine),
        ("!!! See https://bugs.pypy.org", K::Setting, EmptyLine),
        ("!!! Unable to parse COLUMNWIDTH", K::Setting, EmptyLine),
        ("!!! Invalid PORTAGE_CIRCULAR_MAX_USE_FLAGS", K::Setting, EmptyLine),
        ("* WARNING: The FEATURES variable contains one", K::Setting, EmptyLine),
        ("FEATURES variable contains unknown value", K::Setting, EmptyLine),
        ("!!! Falling back to an in-process dependency calculation", K::Setting, EmptyLine),

        // Whatever else looks like a warning.
        ("WARNING", K::Unrecognised, EmptyLine),
        ("ERROR", K::Unrecognised, EmptyLine),
        ("* Error", K::Unrecognised, NextNotice),
        ("* ERROR", K::Unrecognised, NextNotice),
        ("* WARNING", K::Unrecognised, NextNotice),
        ("emerge: ", K::Unrecognised, EmptyLine),
    ]
};

/// Lines with three exclamation marks that go on with a notice of a kind that is no objection.
/// Every other such line begins a notice of its own: a warning must not hide in a remark.
const CONTINUATIONS: &[&str] = &[
    "!!! to update the environment of this terminal",
    "!!! other terminals also",
    "!!! Use eselect profile to update your profile",
    "!!! Please upgrade to the following profile",
    "!!! Support for PROVIDE virtuals was removed",
    "!!! portage-2.3.25; use GLEP 37",
    "!!! instead. Please remove this file",
    "!!! Expected an integer greater than zero",
    "!!! installed:",
];

/// What the line begins, if it begins a notice that is known by its words.
pub(super) fn beginning(line: &str) -> Option<(NoticeKind, Until)> {
    let line = line.trim_start();
    // Almost all lines of a long list of conflicts begin with none of these.
    let is_possible = |c: char| "!*-[CEFILPRSTUWeu".contains(c);
    if !line.starts_with(is_possible) {
        return None;
    }
    if let Some(rest) = line.strip_prefix("* IMPORTANT: ") {
        let without_number = rest.trim_start_matches(|c: char| c.is_ascii_digit() || c == ' ');
        return find(&format!("* IMPORTANT: {without_number}"));
    }
    // `[gentoobinhost] Remote XPAK packages in … are ignored due to …`; 3.0.78 to 3.0.80 forget the
    // second bracket, and 3.0.83 has other words. With --getbinpkgonly the plan is empty then, and
    // the exit status 0.
    if line.starts_with('[') {
        let is_left_aside = line.contains(" Remote XPAK ") && line.contains(" ignored");
        let is_stale = line.contains("] Local copy of unavailable remote index will be used");
        return (is_left_aside || is_stale)
            .then_some((NoticeKind::BinaryUnusable, Until::EmptyLine));
    }
    // `!!! [gentoobinhost] Error fetching …`: which server it is about.
    if let Some((_, rest)) = line
        .strip_prefix("!!! [")
        .and_then(|rest| rest.split_once("] "))
    {
        return Some(match find(&format!("!!! {rest}")) {
            Some(found) => found,
            None => (NoticeKind::BinaryUnusable, Until::EmptyLine),
        });
    }
    if let Some(rest) = line.strip_prefix("!!! ") {
        let is_profile = rest.contains(" is not a symlink and will probably prevent most merges");
        let is_argument = rest.starts_with('\'')
            && [
                "is not a valid package atom",
                "is not in a valid",
                "does not start with",
                "contains a conditional",
                "is not claimed by any package",
            ]
            .iter()
            .any(|words| rest.contains(words));
        // With the whole path until 3.0.77.
        if rest.contains("binrepos.conf is missing (or PORTAGE_BINHOST is unset)") {
            return Some((NoticeKind::BinaryServerMissing, Until::EmptyLine));
        }
        if is_profile {
            return Some((NoticeKind::ProfileBroken, Until::EmptyLine));
        }
        if is_argument {
            return Some((NoticeKind::InvalidArgument, Until::EmptyLine));
        }
    }
    find(line)
}

fn find(line: &str) -> Option<(NoticeKind, Until)> {
    BEGINNINGS
        .iter()
        .find(|(start, _, _)| line.starts_with(start))
        .map(|(_, kind, until)| (kind.clone(), *until))
}

/// Whether a line with three exclamation marks goes on with the notice before it.
pub(super) fn is_continuation(line: &str, of: &NoticeKind) -> bool {
    of.is_objection() || CONTINUATIONS.iter().any(|start| line.starts_with(start))
}
