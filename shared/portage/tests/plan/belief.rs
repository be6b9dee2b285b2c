//! What is believed, and what is not.

use gentoo_updater_portage::plan::{PlanError, parse};

use crate::{Recording, read, recording};

/// An output without a row, exit status 0.
fn nothing() -> Recording {
    recording("a2-v1-world-uptodate-bdepsn")
}

#[test]
fn a_plan_of_nothing_is_believed_where_nothing_speaks_against_it() {
    let nothing = nothing();
    assert_eq!(nothing.parse().unwrap().rows.len(), 0);
    for stderr in [
        "",
        "Connection to 10.77.0.12 closed.\n",
        "Welcome to this machine\n\n*** System restart required ***\n",
        "bash: warning: setlocale: LC_ALL: cannot change locale (de_DE.UTF-8)\n",
        "perl: warning: Setting locale failed.\n",
        "!!! Problem with sandbox binary. Disabling...\n\n",
        "!!! No gcc found. You probably need to 'source /etc/profile'\n\
         !!! to update the environment of this terminal and possibly\n\
         !!! other terminals also.\n",
        "\n!!! Ebuilds for the following packages are either all\n\
         !!! masked or don't exist:\napp-misc/gone\n",
        "!!! CONFIG_PROTECT is empty\n",
        "--- Unmatched removal atom(s) in /etc/portage/package.mask: -a/b\n",
        "FEATURES variable contains unknown value(s): x\n",
        "---\nWelcome\n---\n[web] hello\n",
        "\n!!! The following installed packages are masked:\n\
         - a/b-1::gentoo (masked by: package.mask)\n\
         /etc/portage/package.mask:\n# It failed to build, with an error.\n\n\
         For more information, see the MASKED PACKAGES section in the emerge\n\
         man page or refer to the Gentoo Handbook.\n\n",
        "!!! Repository 'mine' is missing masters attribute in '/x/metadata/layout.conf'\n\
         !!! Set 'masters = gentoo' in this file for future compatibility\n",
    ] {
        let plan =
            parse(&nothing.stdout, stderr, 0).unwrap_or_else(|error| panic!("{stderr}: {error}"));
        assert_eq!(plan.rows, []);
    }
}

#[test]
fn a_plan_of_nothing_is_an_error_where_stderr_speaks_against_it() {
    let nothing = nothing();
    let skipped = recording("e-world-missing-rebuild").stderr;
    for stderr in [
        skipped.as_str(),
        "!!! Something that nobody knows\n",
        "Welcome\n!!! Something that nobody knows\n",
        "!!! CONFIG_PROTECT is empty\n!!! Something that nobody knows\n",
        "!!! No gcc found. You probably need\n!!! Something that nobody knows\n",
        "!!! Section 'x' in repos.conf has location attribute set to nonexistent directory: '/x'\n",
        "!!! Invalid Repository Location (not a dir): '/x'\n",
        "!!! Invalid PORTDIR_OVERLAY (not a dir): '/x'\n",
        "!!! Unable to parse profile: '/etc/portage/make.profile'\n",
        "\n\n!!! /mnt/etc/portage/make.profile is not a symlink and will probably prevent most merges.\n",
        "!!! Invalid binary package: '/x/y.tbz2'\n",
        "\n\n!!! [gentoobinhost] Error fetching binhost package info from 'https://x'\n",
        "\n!!! One or more updates have been skipped due to a dependency conflict:\n\na/b:0\n",
        "\nWARNING: One or more updates have been skipped due to a dependency conflict:\n\na/b:0\n",
        "WARNING: One or more repositories have been ignored due to duplicate\n",
        "OSError: [Errno 5] Input/output error: '/var/db/repos/gentoo'\n",
        "/usr/bin/emerge: line 3: No space left on device\n",
        "hello\nPermission denied: '/var/db/repos/gentoo/profiles'\n",
        "hello\nPermission denied: '/usr/share/locale/de'\n",
        "ERROR: anything\n",
        "\n!!! binrepos.conf is missing (or PORTAGE_BINHOST is unset), but use is requested.\n",
        "!!! PORTAGE_BINHOST unset, but use is requested.\n",
        "\"/etc/portage/make.conf\", line 7: No closing quotation\n",
        "--- Invalid atom in /etc/portage/package.unmask: a/b-1\n",
        "--- Invalid USE flag for 'a/b' in '/etc/portage/package.use': '+x'\n",
        "--- Invalid 'eapi' file (doesn't contain exactly one line): /x/eapi\n",
        "--- EAPI '5' does not support 'use.stable.mask': '/x/use.stable.mask'\n",
        "--- 'profiles/arch.list' is empty or not available. Empty ebuild repository?\n",
        "Unavailable repository 'gentoo' referenced by masters entry in '/x/layout.conf'\n",
        "\nInvalid ebuild name: /x/app-misc/a/b.ebuild\n",
        "[gentoobinhost] Local copy of unavailable remote index will be used due to --pretend\n",
        "[x] Remote XPAK binpkgs in 'https://x' ignored: signatures are missing (FEATURES=x)\n",
        "Local XPAK packages are ignored due to 'binpkg-request-signature'.\n",
        "!!! The following installed packages are masked:\n- a/b-1::gentoo (masked by: x)\n\n\
         cannot open '/var/db/repos/gentoo': Input/output error\n",
        "Traceback (most recent call last):\n  File \"x\"\n",
        "emerge: anything\n",
    ] {
        let error = parse(&nothing.stdout, stderr, 0).unwrap_err();
        assert!(
            matches!(error, PlanError::EmptyContradicted { .. }),
            "{stderr}: {error}"
        );
        // The same words on a merged stream.
        let merged = format!("{}\n{stderr}", nothing.stdout);
        let is_of_emerge = ![
            "OSError",
            "/usr/bin",
            "hello",
            "!!! The following installed",
            "\"/etc/portage/make.conf",
        ]
        .iter()
        .any(|s| stderr.starts_with(s));
        assert_eq!(parse(&merged, "", 0).is_err(), is_of_emerge, "{stderr}");
    }
}

#[test]
fn a_plan_that_only_removes_is_no_more_believed_than_one_of_nothing() {
    let removal = recording("shapes/2023-empty-uninstall").stdout;
    assert_eq!(parse(&removal, "", 0).unwrap().rows.len(), 1);
    let error = parse(&removal, "ERROR: anything\n", 0).unwrap_err();
    assert!(
        matches!(error, PlanError::EmptyContradicted { .. }),
        "{error}"
    );
}

#[test]
fn a_status_that_nothing_explains_is_an_error() {
    for name in ["p-guest-full-pretend", "a2-v1-world-uptodate-bdepsn"] {
        let Recording { stdout, .. } = recording(name);
        for status in [1, 2, 130, 143, 255, -1] {
            let error = parse(&stdout, "", status).unwrap_err();
            assert_eq!(error, PlanError::UnexplainedStatus { status });
        }
    }
}

#[test]
fn a_truncated_index_of_binary_packages_leaves_no_trace() {
    // Whoever asks for binary packages has to read the index too.
    let plan = read("k-index-truncated").unwrap();
    assert_eq!((plan.status, plan.rows.len()), (0, 0));
    assert_eq!(plan.objections().count(), 0);
}
