//! Each recording against what is expected of it.

use std::collections::BTreeSet;

use gentoo_updater_portage::name::UseFlag;
use gentoo_updater_portage::plan::{NoticeKind, Plan, PlanError, Row, parse};

use crate::{Recording, read, recording};

/// A row in one line: everything that the reader found in it.
fn describe_row(row: &Row) -> String {
    let mut parts = vec![
        format!("{:?}", row.kind).to_lowercase(),
        row.status.to_string(),
    ];
    let build_id = row.build_id.map(|id| format!(" #{id}")).unwrap_or_default();
    let repository = row.repository.as_ref().map_or("?", |name| name.as_str());
    parts.push(format!("{}{build_id} :{} {repository}", row.cpv, row.slot));
    for previous in &row.previous {
        parts.push(format!("from {} :{}", previous.version, previous.slot));
    }
    let flags = |sign: &str, set: &BTreeSet<UseFlag>| -> Vec<String> {
        set.iter().map(|flag| format!("{sign}{flag}")).collect()
    };
    let state = &row.use_flags;
    parts.extend(flags("+", &state.enabled));
    parts.extend(flags("-", &state.disabled));
    parts.extend(flags("*", &state.changed));
    parts.extend(flags("%", &state.new));
    parts.extend(flags("!", &state.forced));
    parts.extend(flags("removed ", &state.removed));
    if let Some(bytes) = row.size_bytes.filter(|bytes| *bytes > 0) {
        parts.push(format!("{bytes} bytes"));
    }
    parts.retain(|part| !part.is_empty());
    parts.join(" ")
}

fn describe_notices(kinds: impl Iterator<Item = NoticeKind>) -> String {
    let names = kinds.map(|kind| match kind {
        NoticeKind::WorldAtomWithoutEbuild { atoms } => {
            let atoms: Vec<String> = atoms.iter().map(ToString::to_string).collect();
            format!("WorldAtomWithoutEbuild({})", atoms.join(","))
        }
        kind => format!("{kind:?}"),
    });
    names.collect::<Vec<_>>().join(" ")
}

fn describe(result: &Result<Plan, PlanError>) -> String {
    let plan = match result {
        Ok(plan) => plan,
        Err(PlanError::Refused { status, notices }) => {
            let kinds = notices.iter().map(|notice| notice.kind.clone());
            return format!("refused with {status}: {}", describe_notices(kinds));
        }
        Err(PlanError::EmptyContradicted { notices }) => {
            let kinds = notices.iter().map(|notice| notice.kind.clone());
            return format!("empty, but {}", describe_notices(kinds));
        }
        Err(error) => return format!("error: {error}"),
    };
    let mut lines: Vec<String> = plan.rows.iter().map(describe_row).collect();
    lines.extend(plan.blocks.iter().map(|block| {
        let by: Vec<String> = block.by.iter().map(ToString::to_string).collect();
        format!(
            "block {} by {}, satisfied: {}",
            block.blocked,
            by.join(" "),
            block.satisfied
        )
    }));
    let kinds = plan.notices.iter().map(|notice| notice.kind.clone());
    lines.push(format!(
        "status {}: {}",
        plan.status,
        describe_notices(kinds)
    ));
    lines.join("\n")
}

fn check(name: &str, expected: &str) {
    let expected: Vec<&str> = expected.trim().lines().map(str::trim).collect();
    assert_eq!(describe(&read(name)), expected.join("\n"), "{name}");
}

/// The rows of the update from state v1 to v2 of the test repository, as most recordings show it.
const FULL_UPDATE: &str = "
    ebuild U sys-apps/labbase-1.0-r1 :0 gentoo from 1.0 :0
    ebuild r  U dev-libs/libalpha-2.0 :0/2 gentoo from 1.0 :0/1 -static-libs
    ebuild N dev-libs/tinyhdr-1.0 :0 gentoo
    ebuild N app-misc/newdep-1.0 :0 gentoo
    ebuild N dev-util/labgen-1.1 :0 gentoo
    ebuild U app-misc/bigdata-2.0 :0 gentoo from 1.0 :0
    ebuild UD app-misc/downgraded-1.0 :0 gentoo from 2.0 :0
    ebuild R app-misc/rebuildme-1.0 :0 gentoo +beta -alpha *beta %beta
    ebuild U app-misc/slowpoke-2.0 :0 gentoo from 1.0 :0
    ebuild NS dev-libs/slotted-2.0 :2 gentoo from 1.0 :1
    ebuild rR dev-libs/libbeta-1.0 :0 gentoo +fast -doc
    ebuild U app-misc/hello-2.0 :0 gentoo from 1.0 :0
    ebuild U www-servers/tinyd-2.0 :0 gentoo from 1.0 :0
    ebuild U app-misc/greeter-2.0 :0 gentoo from 1.0 :0 +color +nls -emoji %emoji";

#[test]
fn a_full_update_is_read_row_by_row() {
    let gone = "WorldAtomWithoutEbuild(app-misc/gone)";
    check(
        "a-NDpuv1-plain",
        &format!("{FULL_UPDATE}\nstatus 0: CausesRebuilds NewsUnread {gone}"),
    );
    check(
        "cc3-provided-world",
        &format!("{FULL_UPDATE}\nstatus 0: CausesRebuilds NewsUnread {gone} Provided"),
    );
}

#[test]
fn colours_and_cursor_movements_of_a_terminal_change_nothing() {
    let notices = "CausesRebuilds WorldAtomWithoutEbuild(app-misc/gone) NewsUnread Noise";
    check("i-tty", &format!("{FULL_UPDATE}\nstatus 0: {notices}"));
}

#[test]
fn a_tree_holds_the_same_packages_as_the_list() {
    let merges = |name: &str| -> BTreeSet<String> {
        read(name).unwrap().merges().map(describe_row).collect()
    };
    assert_eq!(merges("g-tree"), merges("a-NDpuv1-plain"));
    assert_eq!(read("g-tree").unwrap().rows.len(), 16);
}

#[test]
fn binary_rows_hold_their_build_id_apart_from_the_version() {
    check(
        "p-guest-full-pretend",
        "binary U sys-apps/labbase-1.0-r1 #1 :0 gentoo from 1.0 :0
         binary U dev-libs/libalpha-2.0 #2 :0/2 gentoo from 1.0 :0/1 -static-libs
         binary N app-misc/newdep-1.0 #5 :0 gentoo
         binary U app-misc/bigdata-2.0 #2 :0 gentoo from 1.0 :0
         binary UD app-misc/downgraded-1.0 #1 :0 gentoo from 2.0 :0
         binary R app-misc/rebuildme-1.0 #1 :0 gentoo +beta -alpha *beta %beta
         binary U app-misc/slowpoke-2.0 #2 :0 gentoo from 1.0 :0
         binary NS dev-libs/slotted-2.0 #1 :2 gentoo from 1.0 :1
         binary R dev-libs/libbeta-1.0 #1 :0 gentoo +fast -doc
         binary U app-misc/hello-2.0 #2 :0 gentoo from 1.0 :0
         binary U www-servers/tinyd-2.0 #2 :0 gentoo from 1.0 :0
         binary U app-misc/greeter-2.0 #3 :0 gentoo from 1.0 :0 +color +nls -emoji %emoji
         status 0: NewsUnread",
    );
    check(
        "g2-k-use-mismatch-pretend",
        "binary N dev-util/labgen-1.1 #1 :0 gentoo
         ebuild R app-misc/greeter-2.0 :0 gentoo +color +emoji +nls *emoji
         status 0: NewsUnread UseMismatch",
    );
    let mixed = read("b-k-pretend").unwrap();
    assert_eq!((mixed.totals.packages, mixed.totals.binaries), (13, 6));
}

#[test]
fn every_kind_of_row_and_letter_is_read() {
    check(
        "bb-softblock",
        "ebuild N app-misc/softblocker-1.0 :0 gentoo
         uninstall app-misc/oldblocked-1.0 :0 gentoo
         block app-misc/oldblocked by app-misc/softblocker-1.0, satisfied: true
         status 0: NewsUnread",
    );
    check(
        "v-fetch-restricted",
        "ebuild N F app-misc/fetchme-1.0 :0 gentoo 123904 bytes
         ebuild N app-misc/fetchable-1.0 :0 gentoo 123904 bytes
         status 0: FetchInstructions NewsUnread FetchInstructions",
    );
    check(
        "w-interactive",
        "ebuild IN app-misc/interactive-1.0 :0 gentoo
         status 0: NewsUnread",
    );
    let changed = read("dd-usechange").unwrap();
    let libbeta = changed
        .rows
        .iter()
        .find(|row| row.cpv.package().as_str() == "libbeta")
        .unwrap();
    assert_eq!(
        describe_row(libbeta),
        "ebuild R dev-libs/libbeta-1.0 :0 gentoo +doc -fast *doc *fast"
    );
}

#[test]
fn a_plan_that_emerge_refuses_keeps_its_rows_and_says_why() {
    check(
        "aa-autounmask-y-keyword",
        "ebuild N    ~ app-misc/testing-only-1.0 :0 gentoo
         ebuild N app-misc/licensed-1.0 :0 gentoo
         ebuild N    # app-misc/hardmasked-1.0 :0 gentoo
         ebuild N app-misc/needs-testing-1.0 :0 gentoo
         status 1: NewsUnread Autounmask Autounmask Autounmask",
    );
    check(
        "n-autounmask-use",
        "ebuild R dev-libs/libgamma-1.0 :0 gentoo +ssl *ssl
         ebuild N app-misc/needs-use-1.0 :0 gentoo
         status 1: NewsUnread Autounmask",
    );
    check(
        "bb2-hardblock",
        "ebuild N app-misc/hardblocker-1.0 :0 gentoo
         block app-misc/oldblocked by app-misc/hardblocker-1.0, satisfied: false
         status 1: NewsUnread Blocked",
    );
    check(
        "bb4-softblock-unresolved",
        "ebuild N app-misc/softblocker-1.0 :0 gentoo
         ebuild R app-misc/oldblocked-1.0 :0 gentoo
         block app-misc/oldblocked by app-misc/softblocker-1.0, satisfied: false
         status 1: NewsUnread Blocked",
    );
    check(
        "s-circular",
        "nomerge app-misc/circ-a-1.0 :0 gentoo
         ebuild N app-misc/circ-b-1.0 :0 gentoo
         ebuild N app-misc/circ-a-1.0 :0 gentoo
         status 1: NewsUnread Circular",
    );
    check(
        "o3-guest-K-libalpha2",
        "binary U dev-libs/libalpha-2.0 #1 :0/2 gentoo from 1.0 :0/1 -static-libs
         status 1: NewsUnread SlotConflict",
    );
    let conflict = read("f-K-explicit-list").unwrap();
    assert_eq!((conflict.rows.len(), conflict.objections().count()), (4, 1));
}

#[test]
fn where_emerge_makes_no_plan_the_reason_is_the_error() {
    check("m-autounmask-keyword", "refused with 1: NewsUnread Masked");
    check("q-hardmasked", "refused with 1: NewsUnread Masked");
    check(
        "r-nosuch",
        "refused with 1: NewsUnread NoEbuild NoEbuild NoEbuild",
    );
    check(
        "t-requireduse",
        "refused with 1: NewsUnread RequiredUse RequiredUse",
    );
    check("u-missing-dep", "refused with 1: NewsUnread NoEbuild");
    check(
        "g3-K-use-mismatch-respect",
        "refused with 1: NewsUnread UseMismatch",
    );
    check(
        "d-bad-profile",
        "refused with 1: Noise ProfileBroken ProfileBroken ProfileBroken",
    );
    check("e-broken-makeconf", "refused with 1: Noise Noise Crash");
    let words = read("q-hardmasked").unwrap_err().to_string();
    assert_eq!(
        words,
        "emerge made no plan and ended with status 1: \
         !!! All ebuilds that could satisfy \"app-misc/hardmasked\" have been masked."
    );
}

#[test]
fn a_plan_of_nothing_is_believed_only_where_nothing_speaks_against_it() {
    check(
        "c-no-repo",
        "empty, but RepositoryMissing RepositoryMissing RepositoryMissing",
    );
    let gone = "WorldAtomWithoutEbuild(app-misc/gone)";
    check(
        "p5-after-withbdeps-n",
        &format!("status 0: NewsUnread {gone}"),
    );
    // A truncated index of binary packages leaves no trace in what emerge prints: whoever asks for
    // binary packages has to read the index too.
    check("k-index-truncated", "status 0: NewsUnread");

    let Recording { stdout, .. } = recording("p5-after-withbdeps-n");
    let skipped = recording("e-world-missing-rebuild").stderr;
    let error = parse(&stdout, &skipped, 0).unwrap_err();
    assert!(
        matches!(error, PlanError::EmptyContradicted { .. }),
        "{error}"
    );
    let error = parse(&stdout, "!!! Something that nobody knows\n", 0).unwrap_err();
    assert!(
        matches!(error, PlanError::EmptyContradicted { .. }),
        "{error}"
    );
    let plan = parse(&stdout, "Welcome to this machine\n", 0).unwrap();
    assert_eq!(plan.objections().count(), 0);
}

#[test]
fn updates_that_were_left_out_are_noticed() {
    for (name, rows, objections) in [
        ("e-world-missing-rebuild", 9, 2),
        ("f6-defopts-exclude", 10, 2),
    ] {
        let plan = read(name).unwrap();
        assert_eq!((plan.status, plan.rows.len()), (0, rows), "{name}");
        assert_eq!(plan.objections().count(), objections, "{name}");
        assert!(
            plan.objections()
                .any(|notice| notice.kind == NoticeKind::SkippedUpdates)
        );
    }
}

#[test]
fn words_around_the_list_are_noise() {
    check(
        "p3-guest-after",
        "ebuild N dev-libs/tinyhdr-1.0 :0 gentoo
         ebuild N dev-util/labgen-1.1 :0 gentoo
         status 0: NewsUnread Noise WorldAtomWithoutEbuild(app-misc/gone)",
    );
    let Recording {
        stdout,
        stderr,
        status,
    } = recording("a-NDpuv1-plain");
    let plain = read("a-NDpuv1-plain").unwrap();
    let noisy = parse(
        &format!("Welcome!\n\n* * *\n{stdout}\nbye\n"),
        &stderr,
        status,
    )
    .unwrap();
    assert_eq!(noisy.rows, plain.rows);
}

#[test]
fn an_output_in_another_form_is_an_error() {
    check(
        "c-quiet",
        "error: line 1 is not understood: it comes before the line \"Calculating dependencies\": \
         \"[ebuild     U ] sys-apps/labbase-1.0-r1 [1.0]\"",
    );
    check(
        "f-noverbose",
        "error: line 7 is not understood: the repository is missing, as without --verbose: \
         \"[ebuild     U  ] sys-apps/labbase-1.0-r1 [1.0]\"",
    );
    for name in ["d-columns", "b-two-repos"] {
        let error = read(name).unwrap_err();
        assert!(matches!(error, PlanError::Line { .. }), "{name}: {error}");
    }
    for text in ["", "\n", "garbage\n", "bash: emerge: command not found\n"] {
        let error = parse(text, "", 0).unwrap_err();
        assert_eq!(error, PlanError::NotCalculated { status: 0 }, "{text:?}");
        let error = parse(text, "", 127).unwrap_err();
        assert_eq!(error, PlanError::NotCalculated { status: 127 }, "{text:?}");
    }
}

#[test]
fn a_status_that_nothing_explains_is_an_error() {
    let Recording { stdout, .. } = recording("p-guest-full-pretend");
    for status in [1, 130, 143, 255, -1] {
        let error = parse(&stdout, "", status).unwrap_err();
        assert_eq!(error, PlanError::UnexplainedStatus { status });
    }
}
