mod rollout;

use std::path::Path;

use super::*;

fn parse_text(text: &str) -> Result<Settings, ConfigError> {
    parse_with(text, &[])
}

fn parse_with(text: &str, variables: &[(&str, &str)]) -> Result<Settings, ConfigError> {
    let source = variables
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    parse(
        Path::new("fleet.toml"),
        text,
        environment().source(Some(source)),
    )
}

const SMALL: &str = "[builders.b1]\naddress = \"local\"\n[guests.g1]\naddress = \"ssh://g1\"\n";

#[test]
fn two_machines_are_a_fleet() {
    let settings = parse_text(SMALL).unwrap();
    assert!(settings.broker.is_none());
    let guest = &settings.guests[&"g1".parse().unwrap()];
    assert_eq!(guest.platform.as_str(), "default");
    assert_eq!(
        settings.platforms[&guest.platform].store,
        Path::new("/var/cache/binpkgs")
    );
}

#[test]
fn an_unknown_key_is_refused_with_file_and_line() {
    let error = parse_text(&format!("{SMALL}colour = \"red\"\n"))
        .unwrap_err()
        .to_string();
    assert!(error.contains("fleet.toml"), "{error}");
    assert!(error.contains("line 5"), "{error}");
    assert!(error.contains("colour"), "{error}");
}

#[test]
fn a_name_that_needs_quoting_is_refused_with_its_line() {
    let error = parse_text("[guests.\"a;b\"]\naddress = \"local\"\n")
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("line 1") && error.contains("not a valid name of a guest"),
        "{error}"
    );
}

#[test]
fn a_variable_overrides_the_file() {
    let url = "amqp://user:secret@broker/fleet";
    let settings = parse_with(SMALL, &[("GENTOO_UPDATER__BROKER__URL", url)]).unwrap();
    assert_eq!(settings.broker.unwrap().url, url);
    let settings = parse_with(SMALL, &[("GENTOO_UPDATER__POLICY__ATTEMPTS", "7")]).unwrap();
    assert_eq!(settings.policy.patience.attempts, 7);
}

#[test]
fn a_variable_with_an_unknown_name_is_refused() {
    let error = parse_with(SMALL, &[("GENTOO_UPDATER__POLICY__ATEMPTS", "7")]).unwrap_err();
    assert!(matches!(error, ConfigError::Environment { .. }), "{error}");
    assert!(error.to_string().contains("atempts"), "{error}");
}

#[test]
fn values_that_do_not_fit_together_are_refused_with_the_remedy() {
    for (text, words) in [
        ("", "no builder"),
        ("[builders.b1]\naddress = \"local\"\n", "no guest"),
        (
            "[builders.b1]\n[guests.g1]\naddress = \"local\"\n",
            "builders.b1.address is missing",
        ),
        (
            "[platforms.a]\n[platforms.b]\n[builders.b1]\naddress = \"local\"\nplatform = \"a\"\n\
             [guests.g1]\naddress = \"local\"\n",
            "guests.g1.platform is missing",
        ),
        (
            "[platforms.a]\n[platforms.b]\n[builders.b1]\naddress = \"local\"\nplatform = \"a\"\n\
             [guests.g1]\naddress = \"local\"\nplatform = \"b\"\n",
            "no builder is of platform b",
        ),
        (
            &format!("{SMALL}[policy]\nlease_seconds = 5\n"),
            "three times",
        ),
        (&format!("{SMALL}[broker]\nurl = \"http://x\"\n"), "amqp://"),
        (
            &format!("{SMALL}[platforms.p]\nstore = \"binpkgs\"\n"),
            "absolute",
        ),
    ] {
        let error = parse_text(text).unwrap_err().to_string();
        assert!(error.contains(words), "{text}\n{error}");
    }
}

#[test]
fn a_missing_file_is_an_error_and_not_an_empty_configuration() {
    let error = load(Path::new("/nonexistent/fleet.toml")).unwrap_err();
    assert!(matches!(error, ConfigError::Unreadable { .. }));
}

#[test]
fn the_configuration_of_ssh_is_followed_unless_something_else_is_said() {
    let ssh = |text: &str| parse_text(&format!("{SMALL}[ssh]\n{text}\n")).unwrap().ssh;
    let default = ssh("");
    assert_eq!(default.config, SshConfig::OfSsh);
    assert!(!default.known_hosts_are_given && default.identity_files.is_none());
    assert_eq!(ssh("config = \"none\"").config, SshConfig::None);
    let file = SshConfig::File("/etc/fleet/ssh_config".into());
    assert_eq!(ssh("config = \"/etc/fleet/ssh_config\"").config, file);
    assert!(ssh("known_hosts = [\"/a\"]").known_hosts_are_given);
    for text in ["config = \"relative\"", "identity_files = [\"~/key\"]"] {
        assert!(
            parse_text(&format!("{SMALL}[ssh]\n{text}\n")).is_err(),
            "{text}"
        );
    }
}

#[test]
fn what_becomes_of_services_and_of_what_nothing_needs_is_said_for_all_guests_or_for_one() {
    let policy = "[policy]\nrestart_services = \"restart\"\nrestart_also = [\"sshd\"]\n\
                  depclean = \"remove\"\n";
    let one = "[guests.g2]\naddress = \"ssh://g2\"\nrestart_services = \"report\"\n\
               depclean = \"report\"\n";
    let settings = parse_text(&format!("{SMALL}{one}{policy}")).unwrap();
    let of = |guest: &str| settings.guests[&guest.parse().unwrap()].restart_services;
    assert_eq!(of("g1"), RestartServices::Restart);
    assert_eq!(of("g2"), RestartServices::Report);
    assert!(settings.policy.restart_also.contains("sshd"));
    let of = |guest: &str| settings.guests[&guest.parse().unwrap()].depclean;
    assert_eq!((of("g1"), of("g2")), (Depclean::Remove, Depclean::Report));
    let settings = parse_text(SMALL).unwrap();
    let guest = &settings.guests[&"g1".parse().unwrap()];
    assert_eq!(guest.restart_services, RestartServices::Report);
    let wrong = parse_text(&format!("{SMALL}restart_services = \"perhaps\"\n")).unwrap_err();
    assert!(wrong.to_string().contains("perhaps"), "{wrong}");
}

#[test]
fn a_builder_has_one_slot_in_clean_rooms_unless_something_else_is_said() {
    let of = |text: &str| {
        let text = SMALL.replace("[guests", &format!("{text}\n[guests"));
        parse_text(&text).map(|settings| settings.builders[&"b1".parse().unwrap()].clone())
    };
    let builder = of("").unwrap();
    assert_eq!((builder.slots, builder.clean_room), (1, CleanRoom::Auto));
    assert_eq!(builder.environment, BuildEnvironment::default());
    assert_eq!(of("slots = 4").unwrap().slots, 4);
    assert_eq!(
        of("clean_room = \"never\"").unwrap().clean_room,
        CleanRoom::Never
    );
    for (text, words) in [
        ("slots = 0", "at least 1"),
        (
            "slots = 2\nclean_room = \"never\"",
            "one package is built at a time",
        ),
        ("clean_room = \"perhaps\"", "perhaps"),
    ] {
        let error = of(text).unwrap_err().to_string();
        assert!(error.contains(words), "{text}\n{error}");
    }
}

#[test]
fn builds_get_what_makes_them_faster_and_nothing_that_changes_binaries() {
    let of = |text: &str| {
        parse_text(&format!("{SMALL}[builders.b1.environment]\n{text}\n")).map(|settings| {
            settings.builders[&"b1".parse().unwrap()]
                .environment
                .clone()
        })
    };
    let environment = of(
        "MAKEOPTS = \"-j8 -l8\"\nFEATURES = \"distcc ccache\"\nDISTCC_HOSTS = \"192.0.2.1/4\"\n\
         PORTAGE_NICENESS = 15",
    )
    .unwrap();
    let expected = [
        ("MAKEOPTS", "-j8 -l8"),
        ("DISTCC_HOSTS", "192.0.2.1/4"),
        ("PORTAGE_NICENESS", "15"),
    ];
    let expected = expected.map(|(name, value)| (name, value.to_owned()));
    assert_eq!(environment.variables, expected.into());
    let features = [BuildFeature::Distcc, BuildFeature::Ccache];
    assert_eq!(environment.features, features.into());
    for (text, words) in [
        ("CFLAGS = \"-O3\"", "CFLAGS"),
        (
            "FEATURES = \"distcc splitdebug\"",
            "\"splitdebug\"; it must be among ccache",
        ),
        ("FEATURES = \"-distcc\"", "-distcc"),
        ("MAKEOPTS = \"-j8\\n\"", "one line"),
        ("CCACHE_DIR = \"ccache\"", "absolute"),
    ] {
        let error = of(text).unwrap_err().to_string();
        assert!(error.contains(words), "{text}\n{error}");
    }
}

const HEAVY: &str = "[[packages]]\natom = \"www-client/chromium\"\nmemory_megabytes = 16000\n\
                     build_timeout_seconds = 7200\n\
                     [[packages]]\natom = \">=www-client/chromium-120\"\ndisk_megabytes = 30000\n\
                     build_log_megabytes = 5\n";

fn key(cpv: &str) -> gentoo_updater_portage::build_key::BuildKey {
    gentoo_updater_portage::build_key::BuildKey {
        cpv: cpv.parse().unwrap(),
        slot: "0".parse().unwrap(),
        repository: "gentoo".parse().unwrap(),
        ebuild_digest: "5d41402abc4b2a76b9719d911017c592".parse().unwrap(),
        use_flags: Default::default(),
        bindings: Default::default(),
        environment_digest: None,
        kernel: None,
    }
}

#[test]
fn packages_have_needs_and_limits_of_their_own() {
    let settings = parse_text(&format!("{SMALL}{HEAVY}")).unwrap();
    let policy = &settings.policy;
    let of = |cpv: &str| policy.build_limits.of(&key(cpv), &settings.packages);
    assert_eq!(of("a/a-1"), policy.build_limits);
    assert_eq!(policy.build_limits.timeout.as_secs(), 24 * 3600);
    assert_eq!(policy.build_limits.memory_megabytes, None);
    let (old, new) = (of("www-client/chromium-119"), of("www-client/chromium-121"));
    assert_eq!((old.timeout.as_secs(), old.log_megabytes), (7200, 1000));
    assert_eq!((new.timeout.as_secs(), new.log_megabytes), (7200, 5));
    let needs = policy.patience.demands.of(&key("www-client/chromium-121"));
    assert_eq!(needs.memory_megabytes, Some(16_000));
    assert_eq!(needs.disk_megabytes, Some(30_000));
}

#[test]
fn what_is_wrong_with_a_table_of_packages_is_told_with_its_atom() {
    let refused = |table: &str| {
        let error = parse_text(&format!("{SMALL}[[packages]]\n{table}\n"));
        error.unwrap_err().to_string()
    };
    for (table, words) in [
        (
            "atom = \"chromium\"\nmemory_megabytes = 1",
            ["number 1", "\"chromium\""],
        ),
        (
            "atom = \"!a/a\"\nmemory_megabytes = 1",
            ["!a/a", "must not block"],
        ),
        ("atom = \"a/a\"", ["a/a", "says nothing"]),
        (
            "atom = \"a/a\"\ndisk_megabytes = 0",
            ["disk_megabytes", "at least 1"],
        ),
        (
            "atom = \"a/a\"\nmemory_megabytes = 2\nbuild_memory_megabytes = 1",
            ["a/a", "2 MB of memory"],
        ),
        ("memory_megabytes = 1", ["atom", "line 5"]),
        ("atom = \"a/a\"\nmemory = 1", ["memory", "line 7"]),
    ] {
        let error = refused(table);
        for word in words {
            assert!(error.contains(word), "{word}: {error}");
        }
    }
}

#[test]
fn two_builders_of_a_platform_on_one_machine_and_limits_of_zero_are_refused() {
    let twice = |address: &str| {
        let one = |name: &str| format!("[builders.{name}]\naddress = \"{address}\"\n");
        parse_text(&format!("{SMALL}{}{}", one("b2"), one("b3")))
    };
    twice("local").unwrap();
    let error = twice("ssh://fast").unwrap_err().to_string();
    assert!(
        error.contains("b3") && error.contains("b2") && error.contains("slots"),
        "{error}"
    );
    for key in ["scan", "build", "install", "sync"] {
        let key = format!("{key}_timeout_seconds");
        let error = parse_text(&format!("{SMALL}[policy]\n{key} = 0\n"))
            .unwrap_err()
            .to_string();
        assert!(
            error.contains(&key) && error.contains("at least 1"),
            "{error}"
        );
    }
}

#[test]
fn a_guest_fetches_only_from_a_store_that_is_served() {
    let guest = "[guests.far]\naddress = \"ssh://far\"\nstore = \"http\"\n";
    let parsed = |platform: &str| parse_text(&format!("{SMALL}{guest}[platforms.p]\n{platform}\n"));
    let https = "url = \"https://store.example.net:8443/p/\"";
    let settings = parsed(&format!("{https}\nurl_ca = \"/etc/ca.pem\"")).unwrap();
    let [far, near] = ["far", "g1"].map(|name| &settings.guests[&name.parse().unwrap()]);
    assert_eq!(
        (far.store, near.store),
        (StoreAccess::Http, StoreAccess::Mount)
    );
    let platform = &settings.platforms[&far.platform];
    let url = platform.url.as_ref().unwrap();
    assert_eq!(url.as_str(), "https://store.example.net:8443/p");
    for (platform, words) in [
        ("", ["guests.far", "platforms.p has no url"]),
        ("url = \"store\"", ["platforms.p.url", "https://store"]),
        (
            "url = \"http://store/p\"\nurl_ca = \"/etc/ca.pem\"",
            ["platforms.p.url_ca", "https"],
        ),
        ("url_ca = \"/etc/ca.pem\"", ["platforms.p.url_ca", "https"]),
        (
            &format!("{https}\nurl_ca = \"ca.pem\""),
            ["platforms.p.url_ca", "absolute"],
        ),
    ] {
        let error = parsed(platform).unwrap_err().to_string();
        for word in words {
            assert!(error.contains(word), "{word}: {error}");
        }
    }
}

#[test]
fn what_builds_leave_is_archived_unless_the_policy_says_otherwise_and_never_looked_for_in_all_of_a_root()
 {
    let cruft = parse_text(SMALL).unwrap().policy.cruft;
    assert_eq!(cruft.policy, CruftPolicy::Archive);
    assert_eq!(cruft.folders.len(), 4);
    assert_eq!(cruft.keep_days, 90);
    let policy = |line: &str| parse_text(&format!("{SMALL}[policy]\n{line}\n"));
    let off = policy("cruft = \"off\"\ncruft_folders = [\"/srv\"]\nkeep_cruft_days = 7").unwrap();
    assert_eq!(off.policy.cruft.policy, CruftPolicy::Off);
    assert_eq!(off.policy.cruft.folders, [Path::new("/srv")]);
    for (key, path) in [
        ("cruft_folders", "/"),
        ("cruft_folders", "etc"),
        ("cruft_except", "/etc/../usr"),
    ] {
        let error = policy(&format!("{key} = [\"{path}\"]"))
            .unwrap_err()
            .to_string();
        assert!(error.contains(key) && error.contains("below /"), "{error}");
    }
}

#[test]
fn settings_that_leave_no_folder_to_look_for_cruft_in_are_refused() {
    let policy = |lines: &str| parse_text(&format!("{SMALL}[policy]\n{lines}\n"));
    let one = "cruft_folders = [\"/srv/www\", \"/var/tmp/x\"]\n";
    assert!(policy(one).is_ok());
    assert!(policy("cruft_except = [\"/opt\", \"/usr\"]").is_ok());
    for (lines, is_refused) in [
        (format!("{one}cruft_except = [\"/srv\"]"), true),
        (
            format!("{one}cruft_except = [\"/srv\"]\ncruft = \"off\""),
            false,
        ),
        (format!("{one}cruft_except = [\"/srv/ww\"]"), false),
        ("cruft_folders = []".to_owned(), true),
        ("cruft_folders = [\"/var/db/pkg\"]".to_owned(), true),
    ] {
        let checked = policy(&lines);
        assert_eq!(checked.is_err(), is_refused, "{lines}");
        if let Err(error) = checked {
            assert!(
                error.to_string().contains("policy.cruft = \"off\""),
                "{error}"
            );
        }
    }
}
