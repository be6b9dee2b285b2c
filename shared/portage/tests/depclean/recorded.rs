//! Each recording against what is expected of it.

use crate::*;

/// `-removed (protected|omitted) +kept (needs by parent) ?not-installed`, and the numbers.
pub(crate) fn describe(result: &Depclean) -> String {
    let mut parts: Vec<String> = result.removed.iter().map(|cpv| format!("-{cpv}")).collect();
    for block in &result.blocks {
        for (mark, versions) in [("!", &block.protected), ("=", &block.omitted)] {
            let versions = versions.iter();
            parts.extend(versions.map(|version| format!("{mark}{}-{version}", block.package)));
        }
    }
    for kept in &result.kept {
        let by = kept.reasons.iter().map(|reason| {
            let needs: BTreeSet<String> = reason.needs.iter().map(ToString::to_string).collect();
            let needs: Vec<String> = needs.into_iter().collect();
            format!("{} by {}", needs.join(", "), reason.parent)
        });
        let by: Vec<String> = by.collect();
        parts.push(format!("+{} ({})", kept.cpv, by.join("; ")));
    }
    parts.extend(result.not_installed.iter().map(|atom| format!("?{atom}")));
    if let Some(summary) = result.summary {
        let Summary {
            installed,
            world,
            system,
            profile,
            required,
            removed,
            pretended,
        } = summary;
        let verb = if pretended { "to remove" } else { "removed" };
        let profile = profile.map_or_else(String::new, |number| format!(" profile {number}"));
        parts.push(format!(
            "[{installed} installed, {world} world {system} system{profile}, {required} required, \
             {removed} {verb}]"
        ));
    }
    parts.join(" ")
}

/// Every recording, with what it says.
pub(crate) const RECORDINGS: &[(&str, Verbosity, &str)] = &[
    (
        "after-update",
        Verbosity::Normal,
        "-dev-libs/slotted-1.0 =dev-libs/slotted-2.0 \
         [23 installed, 14 world 1 system, 23 required, 1 removed]",
    ),
    (
        "after-update-pretend",
        Verbosity::Normal,
        "-dev-libs/slotted-1.0 =dev-libs/slotted-2.0 \
         [24 installed, 14 world 1 system, 23 required, 1 to remove]",
    ),
    (
        "after-update-quiet-pretend",
        Verbosity::Quiet,
        "-dev-libs/slotted-1.0 =dev-libs/slotted-2.0 \
         [24 installed, 14 world 1 system, 23 required, 1 to remove]",
    ),
    (
        "countdown",
        Verbosity::Normal,
        "-app-misc/rebuildme-1.0 [17 installed, 8 world 1 system, 17 required, 1 removed]",
    ),
    (
        "e-depclean-p",
        Verbosity::Normal,
        "-app-misc/oldblocked-1.0 -app-misc/newdep-1.0 \
         [22 installed, 13 world 1 system, 20 required, 2 to remove]",
    ),
    (
        "e2-depclean-p-cpv",
        Verbosity::Normal,
        "[22 installed, 13 world 1 system, 22 required, 0 to remove]",
    ),
    (
        "e3-depclean-cpv",
        Verbosity::Normal,
        "-app-misc/oldblocked-1.0 [21 installed, 13 world 1 system, 21 required, 1 removed]",
    ),
    ("e4-depclean-needed", Verbosity::Normal, ""),
    (
        "e5-depclean-notinstalled",
        Verbosity::Normal,
        "?=app-misc/oldblocked-1.0",
    ),
    (
        "e6-depclean-quiet-p",
        Verbosity::Quiet,
        "-app-misc/newdep-1.0 [21 installed, 13 world 1 system, 20 required, 1 to remove]",
    ),
    (
        "exclude",
        Verbosity::Normal,
        "-app-misc/postfail-1.0 +app-misc/newdep-1.0 (=app-misc/newdep-1.0 by @__excluded__; \
         app-misc/newdep by app-misc/greeter-2.0) \
         [17 installed, 7 world 1 system, 16 required, 1 to remove]",
    ),
    (
        "global-pretend",
        Verbosity::Normal,
        "[20 installed, 14 world 1 system, 20 required, 0 to remove]",
    ),
    ("global-pretend-quiet", Verbosity::Quiet, ""),
    (
        "n-depclean-tinyd",
        Verbosity::Normal,
        "-www-servers/tinyd-2.0 [19 installed, 12 world 1 system, 19 required, 1 removed]",
    ),
    (
        "needed-pretend-verbose",
        Verbosity::Normal,
        "-app-misc/hello-1.0 +dev-libs/libalpha-1.0 \
         (dev-libs/libalpha:0/1=, dev-libs/libalpha:= by dev-libs/libbeta-1.0) \
         [20 installed, 14 world 1 system, 19 required, 1 to remove]",
    ),
    (
        "needed-verbose",
        Verbosity::Normal,
        "+dev-libs/libalpha-1.0 \
         (dev-libs/libalpha:0/1=, dev-libs/libalpha:= by app-misc/hello-1.0; \
         dev-libs/libalpha:0/1=, dev-libs/libalpha:= by dev-libs/libbeta-1.0)",
    ),
    ("none-quiet", Verbosity::Quiet, ""),
    (
        "p4-guest-depclean",
        Verbosity::Quiet,
        "-dev-libs/slotted-1.0 =dev-libs/slotted-2.0 \
         [21 installed, 13 world 1 system, 20 required, 1 to remove]",
    ),
    (
        "several-real",
        Verbosity::Normal,
        "-app-misc/leaner-1.0 -app-misc/downgraded-1.0 -app-misc/failer-1.0 \
         [17 installed, 10 world 1 system, 17 required, 3 removed]",
    ),
    (
        "several-real-quiet",
        Verbosity::Quiet,
        "-app-misc/bigdata-2.0 -app-misc/gone-1.0 \
         [20 installed, 13 world 1 system, 20 required, 2 removed]",
    ),
    (
        "two-arguments-one-missing",
        Verbosity::Normal,
        "+dev-libs/libalpha-1.0 \
         (dev-libs/libalpha:0/1=, dev-libs/libalpha:= by app-misc/hello-1.0; \
         dev-libs/libalpha:0/1=, dev-libs/libalpha:= by dev-libs/libbeta-1.0) \
         ?app-misc/doesnotexist [20 installed, 14 world 1 system, 20 required, 0 to remove]",
    ),
];

/// Recordings that have tests of their own.
const OTHERS: &[&str] = &[
    "after-update-verbose-pretend",
    "global-pretend-verbose",
    "missing-dependency",
    "missing-dependency-quiet",
    "set-error",
];

#[test]
fn every_recording_says_what_it_says() {
    let mut names: BTreeSet<String> = BTreeSet::new();
    for (name, verbosity, expected) in RECORDINGS {
        assert_eq!(
            describe(&parsed(name, *verbosity).unwrap()),
            *expected,
            "{name}"
        );
        names.insert((*name).to_owned());
    }
    names.extend(OTHERS.iter().map(|name| (*name).to_owned()));
    let files = fs::read_dir(folder()).unwrap();
    let recorded: BTreeSet<String> = files
        .map(|file| file.unwrap().path())
        .map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned())
        .collect();
    assert_eq!(recorded, names);
}

#[test]
fn what_keeps_every_package_is_told() {
    let result = parsed("global-pretend-verbose", Verbosity::Normal).unwrap();
    assert_eq!(result.kept.len(), 20);
    assert_eq!(result.summary.unwrap().required, 20);
    assert!(result.removed.is_empty());
    let sets = result.kept.iter().flat_map(|kept| &kept.reasons);
    let selected = sets.filter(|reason| reason.parent == Parent::Set("selected".to_owned()));
    assert_eq!(selected.count(), 14);
    let after = parsed("after-update-verbose-pretend", Verbosity::Normal).unwrap();
    assert_eq!(after.kept.len(), 23);
    assert_eq!(after.summary.unwrap().required, 23);
    assert_eq!(after.removed.len(), 1);
}

#[test]
fn a_refusal_names_what_is_missing() {
    for (name, verbosity) in [
        ("missing-dependency", Verbosity::Normal),
        ("missing-dependency-quiet", Verbosity::Quiet),
    ] {
        let Err(DepcleanError::Unresolved(missing)) = parsed(name, verbosity) else {
            panic!("{name} is no refusal")
        };
        assert_eq!(missing.len(), 1);
        assert_eq!(missing[0].need.to_string(), "dev-libs/libgamma");
        assert_eq!(missing[0].parent.to_string(), "www-servers/tinyd-2.0");
        let (stdout, stderr, status) = recording(name);
        let garbled = stderr.replace("pulled in by", "wanted by");
        assert!(matches!(
            parse(&stdout, &garbled, status, verbosity),
            Err(DepcleanError::Line {
                stream: Stream::Stderr,
                ..
            })
        ));
        let evaluated = stderr.replace("dev-libs/libgamma ", "dev-libs/x[a?] (dev-libs/x[a]) ");
        let error = parse(&stdout, &evaluated, status, verbosity).unwrap_err();
        assert!(
            error.to_string().contains(": dev-libs/x[a] of www"),
            "{error}"
        );
    }
    let error = parsed("set-error", Verbosity::Normal).unwrap_err();
    assert!(
        error.to_string().contains("set named 'nosuchset'"),
        "{error}"
    );
}
