//! The calls of emerge, and the state of the machine that each finds.

use gentoo_updater_portage::command::{self, CommandLine};

/// One call of emerge.
pub(crate) struct Case {
    /// What its output is recorded as. Cases whose name begins with `remote-` have a server of
    /// binary packages.
    pub(crate) name: &'static str,
    /// The state of the ebuild repository: `v1`, `v2` or `v2b`. The machine was installed from v1.
    pub(crate) state: &'static str,
    /// A shell script that runs before it.
    pub(crate) prepare: String,
    /// The call.
    pub(crate) line: CommandLine,
    /// The oldest version that can run it, where that is not every one.
    pub(crate) since: Option<&'static str>,
}

/// The server of binary packages, in the guest's own network namespace.
pub(crate) const PORT: u16 = 8080;

/// PKGDIR is empty unless this makes it the store.
const LOCAL_STORE: &str = "mount --bind /mnt/store /var/cache/binpkgs";

/// Options for calls that ask for packages by name.
const BY_NAME: [&str; 3] = ["--oneshot", "--usepkg=n", "--getbinpkg=n"];

/// Options for updates that may use binary packages.
const UPDATE: [&str; 6] = [
    "--update",
    "--newuse",
    "--deep",
    "--oneshot",
    "--rebuilt-binaries=n",
    "--with-bdeps=n",
];

/// Binary packages, some in the second of several builds.
const BINARIES: [&str; 6] = [
    "dev-libs/libalpha-2.0-1",
    "dev-libs/libbeta-1.0-2",
    "app-misc/hello-2.0-1",
    "app-misc/rebuildme-1.0-2",
    "app-misc/downgraded-1.0-1",
    "dev-libs/slotted-2.0-1",
];

fn case(name: &'static str, state: &'static str, prepare: &str, line: CommandLine) -> Case {
    Case {
        name,
        state,
        prepare: prepare.to_owned(),
        line,
        since: None,
    }
}

/// A pretend with these words after the options that every call has. It may see binary packages,
/// which the plan of a world may not.
fn pretend(words: &[&[&str]]) -> CommandLine {
    let mut line = command::plan_world(true);
    line.environment = command::neutral_environment();
    let end = line.argv.iter().position(|word| word == "--update");
    line.argv.truncate(end.expect("the call is an update"));
    line.argv
        .extend(words.concat().into_iter().map(str::to_owned));
    line
}

fn by_name(packages: &[&str]) -> CommandLine {
    pretend(&[&BY_NAME, packages])
}

fn binaries(packages: &[&str]) -> CommandLine {
    let packages: Vec<_> = packages.iter().map(|p| p.parse().unwrap()).collect();
    command::plan_binaries(&packages)
}

/// A configured server. Without `verify-signature` the newest versions leave all packages of the
/// format xpak aside, and the oldest know no other format.
fn server(address: &str) -> String {
    format!(
        "printf '[lab]\\npriority = 10\\nverify-signature = false\\nsync-uri = %s\\n' '{address}' \
         > /etc/portage/binrepos.conf"
    )
}

/// All cases.
pub(crate) fn cases() -> Vec<Case> {
    let mut all = updates();
    all.extend(refusals());
    all.extend(broken_machines());
    all.extend(local_binaries());
    all.extend(remote_binaries());
    all
}

fn updates() -> Vec<Case> {
    let world = || command::plan_world(false);
    vec![
        case("world-v1", "v1", "", world()),
        case("world-v1-to-build", "v1", "", command::plan_world(true)),
        case("world-v2", "v2", "", command::plan_world(true)),
        case("world-v2b", "v2b", "", world()),
        case(
            "world-newuse",
            "v1",
            "printf '%s\\n' 'dev-libs/libbeta doc -fast' 'dev-libs/libgamma ssl' \
             > /etc/portage/package.use/test",
            world(),
        ),
        case(
            "use-expand",
            "v2",
            "echo 'dev-util/plugin fakelang_targets_fl3-2' > /etc/portage/package.use/test",
            by_name(&["dev-util/plugin"]),
        ),
        case(
            "world-atom-without-ebuild",
            "v1",
            "echo app-misc/never >> /var/lib/portage/world",
            world(),
        ),
        case(
            "accepted-masks",
            "v1",
            "echo app-misc/testing-only > /etc/portage/package.accept_keywords/test
             echo 'app-misc/nokey **' >> /etc/portage/package.accept_keywords/test
             mkdir -p /etc/portage/package.unmask
             echo app-misc/hardmasked > /etc/portage/package.unmask/test",
            by_name(&[
                "app-misc/testing-only",
                "app-misc/nokey",
                "app-misc/hardmasked",
            ]),
        ),
        case(
            "downloads",
            "v1",
            "",
            by_name(&["app-misc/fetchable", "app-misc/interactive"]),
        ),
        Case {
            // 3.0.19 runs the phase pkg_nofetch with a module that Python 3.11 of Debian lacks.
            since: Some("3.0.20"),
            ..case("fetch-restricted", "v1", "", by_name(&["app-misc/fetchme"]))
        },
        case(
            "block-solved",
            "v1",
            // As if it had been installed: what is there of another package, renamed.
            "cd /var/db/pkg/app-misc
             cp -r failer-1.0 oldblocked-1.0
             cd oldblocked-1.0
             mv failer-1.0.ebuild oldblocked-1.0.ebuild
             echo oldblocked-1.0 > PF",
            by_name(&["app-misc/softblocker"]),
        ),
    ]
}

fn refusals() -> Vec<Case> {
    let refused = |name, packages: &[&str]| case(name, "v1", "", by_name(packages));
    vec![
        refused(
            "block-hard",
            &["app-misc/oldblocked", "app-misc/hardblocker"],
        ),
        refused(
            "block-soft",
            &["app-misc/oldblocked", "app-misc/softblocker"],
        ),
        refused("masked", &["app-misc/hardmasked"]),
        refused("masked-keyword", &["app-misc/testing-only"]),
        refused("masked-licence", &["app-misc/licensed"]),
        refused("masked-dependency", &["app-misc/needs-testing"]),
        case(
            "autounmask-keyword",
            "v1",
            "",
            pretend(&[&BY_NAME, &["--autounmask=y", "app-misc/needs-testing"]]),
        ),
        refused("autounmask-use", &["app-misc/needs-use"]),
        refused("circular", &["app-misc/circ-a"]),
        refused("required-use", &["app-misc/requse"]),
        refused("no-ebuild", &["app-misc/nosuch"]),
        refused("no-ebuild-of-dependency", &["app-misc/needsprovided"]),
        case(
            "slot-conflict",
            "v2",
            "",
            by_name(&["=dev-libs/libalpha-1.0", "=dev-libs/libalpha-2.0"]),
        ),
    ]
}

fn broken_machines() -> Vec<Case> {
    let broken = |name, script: &str| case(name, "v2", script, command::plan_world(false));
    let empty = "mkdir /mnt/kept
                 cp -r /var/db/repos/gentoo/profiles /mnt/kept/
                 mount -t tmpfs tmpfs /var/db/repos/gentoo
                 cp -r /mnt/kept/profiles /var/db/repos/gentoo/";
    vec![
        broken(
            "repository-unmounted",
            "mount -t tmpfs tmpfs /var/db/repos/gentoo",
        ),
        broken(
            "repository-elsewhere",
            "printf '[gentoo]\\nlocation = /nonexistent\\n' > /etc/portage/repos.conf/zz.conf",
        ),
        broken(
            "repository-without-name",
            &format!("{empty}\nrm /var/db/repos/gentoo/profiles/repo_name"),
        ),
        broken("repository-without-ebuilds", empty),
        broken(
            "repository-of-two-missing",
            "printf '[more]\\nlocation = /nonexistent\\n' > /etc/portage/repos.conf/more.conf",
        ),
    ]
}

fn local_binaries() -> Vec<Case> {
    let local = |name, line| case(name, "v2", LOCAL_STORE, line);
    vec![
        local("store-exact", binaries(&BINARIES)),
        local("store-wrong-use", binaries(&["dev-libs/libbeta-1.0-3"])),
        local("store-lacks-it", binaries(&["app-misc/failer-1.0"])),
        local("store-conflict", binaries(&["dev-libs/libalpha-2.0-1"])),
        local(
            "store-world",
            pretend(&[&UPDATE, &["--usepkgonly", "--getbinpkg=n", "@world"]]),
        ),
        case(
            "store-and-ebuilds",
            "v2b",
            LOCAL_STORE,
            pretend(&[&UPDATE, &["--usepkg", "--getbinpkg=n", "@world"]]),
        ),
    ]
}

fn remote_binaries() -> Vec<Case> {
    let http = format!("http://127.0.0.1:{PORT}");
    let file = "file:///mnt/store";
    let world = |option| pretend(&[&UPDATE, &[option, "@world"]]);
    let remote = |name, prepare: &str, line| case(name, "v2", prepare, line);
    let by_variable = |line: CommandLine, address: &str| {
        line.with_environment(&"PORTAGE_BINHOST".parse().unwrap(), address)
    };
    let exact: Vec<String> = BINARIES
        .iter()
        .map(|package| format!("={package}"))
        .collect();
    let exact: Vec<&str> = exact.iter().map(String::as_str).collect();
    let options = ["--getbinpkgonly", "--oneshot", "--binpkg-respect-use=y"];
    vec![
        remote("remote-http", &server(&http), world("--getbinpkg")),
        remote("remote-http-only", &server(&http), world("--getbinpkgonly")),
        remote("remote-file", &server(file), world("--getbinpkg")),
        remote("remote-file-only", &server(file), world("--getbinpkgonly")),
        remote(
            "remote-http-variable",
            "",
            by_variable(world("--getbinpkg"), &http),
        ),
        remote(
            "remote-file-variable",
            "",
            by_variable(world("--getbinpkgonly"), file),
        ),
        remote(
            "remote-exact",
            &server(&http),
            pretend(&[&options, &UPDATE[4..], &exact]),
        ),
        case(
            "remote-and-ebuilds",
            "v2b",
            &server(&http),
            world("--getbinpkg"),
        ),
        remote(
            "remote-unsigned",
            &server(&http).replace("verify-signature = false\\n", ""),
            world("--getbinpkgonly"),
        ),
        remote(
            "remote-away",
            &server("http://127.0.0.1:1"),
            world("--getbinpkgonly"),
        ),
        // The machine has no wget, with which Portage looks for an index that is not there.
        remote(
            "remote-without-index",
            &server("file:///mnt/nothing"),
            world("--getbinpkgonly"),
        ),
        remote("remote-unnamed", "", world("--getbinpkg")),
    ]
}
