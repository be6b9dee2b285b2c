//! Machines that cost nothing: a view of a machine of the lab in which everything that is changed
//! is in layers of memory, the store and the ebuild repository too.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};

use gentoo_updater_hosts::quote;
use gentoo_updater_portage::command::CommandLine;
use gentoo_updater_runtime::emerge::in_own_environment;
use gentoo_updater_tests::fixtures::{Lab, Said};

use crate::settings::Settings;

/// Where the layers are. An overlay cannot have its layers on another one, and a tmpfs can.
const ROOMS: &str = "/dev/shm/rooms";

/// Enters a room and runs a command in it: ROOM STORE COMMAND…, where STORE is `own` or `shared`.
const ENTER: &str = r#"
room=$1 store=$2
shift 2
layer() {
    mkdir -p "$room/$1" "$room/$1.work"
    mount -t overlay overlay -o "lowerdir=$2,upperdir=$room/$1,workdir=$room/$1.work" "$room/view$2"
}
mkdir -p "$room/view"
layer root /
mount --rbind /proc "$room/view/proc"
mount --rbind /dev "$room/view/dev"
layer repository /var/db/repos/gentoo
mount --bind /var/db/repos/gentoo-v1 "$room/view/var/db/repos/gentoo-v1"
if [ "$store" = own ]; then
    layer store /var/cache/binpkgs
else
    mount --bind /var/cache/binpkgs "$room/view/var/cache/binpkgs"
fi
exec chroot "$room/view" "$@"
"#;

/// What there is. A line begins with what it is about: `P` the counter of an installed package,
/// which says which installation it was on this machine, `B` the number of the binary that it
/// came as, `W` a line of the world file, `C` what emerge's log says was compiled, `S` a file of
/// the store with its size and time.
const LOOK: &str = r#"
cd /var/db/pkg
grep -H '' */*/COUNTER | sed 's,/COUNTER:, ,;s/^/P /'
grep -H '' */*/BUILD_ID | sed 's,/BUILD_ID:, ,;s/^/B /' || :
sed 's/^/W /' /var/lib/portage/world
sed -n 's/.*Compiling\/.*(\([^:]*\)::.*/C \1/p' /var/log/emerge.log 2>/dev/null || :
cd /var/cache/binpkgs
find . -type f ! -name '*_lockfile' -printf 'S %s %T@ %p\n'
"#;

static ROOMS_MADE: AtomicU32 = AtomicU32::new(0);

/// A view of a machine.
pub(crate) struct Room<'lab> {
    lab: &'lab Lab,
    machine: &'static str,
    folder: String,
    store: &'static str,
    /// What the shell of whoever calls has in its environment.
    exports: &'static str,
}

/// What a command did.
#[derive(Debug)]
pub(crate) struct Done {
    /// What it said.
    pub(crate) said: Said,
    /// `+` installed, `-` removed, `*` installed once more; a binary with its number: `+a/b-1 #2`.
    pub(crate) changes: BTreeSet<String>,
    /// What was added to the world file (`+`) and taken out of it (`-`).
    pub(crate) world: BTreeSet<String>,
    /// The files of the store that are not what they were.
    pub(crate) store: BTreeSet<String>,
    /// What was compiled.
    pub(crate) compiled: BTreeSet<String>,
}

impl<'lab> Room<'lab> {
    /// A view of a machine with a store of its own.
    pub(crate) fn open(lab: &'lab Lab, machine: &'static str, settings: Settings) -> Self {
        Self::new(lab, machine, settings, "own")
    }

    /// A view of a machine on the store of all.
    pub(crate) fn with_shared_store(lab: &'lab Lab, machine: &'static str) -> Self {
        Self::new(lab, machine, Settings::Plain, "shared")
    }

    fn new(lab: &'lab Lab, machine: &'static str, settings: Settings, store: &'static str) -> Self {
        let number = ROOMS_MADE.fetch_add(1, Ordering::Relaxed);
        let room = Self {
            lab,
            machine,
            folder: format!("{ROOMS}/{number}"),
            store,
            exports: settings.exports(),
        };
        room.sh(&settings.script());
        room
    }

    /// From now on whoever calls has this in his environment.
    pub(crate) fn export(&mut self, exports: &'static str) {
        self.exports = exports;
    }

    fn enter(&self, script: &str) -> Said {
        let words = ["unshare", "--mount", "--propagation", "private"];
        let shell = ["bash", "-euc", ENTER, "enter", &self.folder, self.store];
        let command = ["bash", "-c", script];
        let argv: Vec<&str> = words
            .iter()
            .chain(&shell)
            .chain(&command)
            .copied()
            .collect();
        self.lab.exec(self.machine, &argv)
    }

    /// Runs a shell script.
    ///
    /// # Panics
    /// When it fails.
    pub(crate) fn sh(&self, script: &str) -> String {
        let said = self.enter(&format!("set -eu\n{script}"));
        assert!(said.code == 0, "{script}\nended with {said:#?}");
        said.stdout
    }

    /// Whether a shell script succeeds.
    pub(crate) fn holds(&self, script: &str) -> bool {
        self.enter(script).code == 0
    }

    /// Runs a command line as the workers do, and nothing can be asked.
    pub(crate) fn run(&self, line: &CommandLine) -> Said {
        let words = quote::line(&in_own_environment(line.clone(), &variables(line)));
        self.enter(&format!(
            "{}\nexec timeout 100 {words} </dev/null",
            self.exports
        ))
    }

    /// As [`Self::run`], with a terminal for output.
    pub(crate) fn run_on_terminal(&self, line: &CommandLine) -> Said {
        let words = quote::line(&in_own_environment(line.clone(), &variables(line)));
        let script = quote::word(&format!("timeout 100 {words} </dev/null"));
        self.enter(&format!(
            "exec script --quiet --return --command {script} /dev/null"
        ))
    }

    /// Runs a command line, and looks at what it did.
    pub(crate) fn act(&self, line: &CommandLine) -> Done {
        let before = self.look();
        let said = self.run(line);
        let after = self.look();
        Done {
            said,
            changes: changes(&before.packages(), &after.packages()),
            world: difference(&before.lines("W "), &after.lines("W ")),
            store: difference(&before.lines("S "), &after.lines("S ")),
            compiled: &after.lines("C ") - &before.lines("C "),
        }
    }

    /// Whether a package is installed in this version.
    pub(crate) fn has(&self, cpv: &str) -> bool {
        self.look().packages().contains_key(cpv)
    }

    fn look(&self) -> Look {
        Look(self.sh(LOOK))
    }
}

impl Drop for Room<'_> {
    fn drop(&mut self) {
        // Memory is all that it took; the lab's end frees what could not be removed here.
        self.lab.exec(self.machine, &["rm", "-rf", &self.folder]);
    }
}

/// What [`LOOK`] printed.
struct Look(String);

impl Look {
    fn lines(&self, kind: &str) -> BTreeSet<String> {
        let lines = self.0.lines().filter_map(|line| line.strip_prefix(kind));
        lines.map(str::to_owned).collect()
    }

    /// Counter and number of a binary by package.
    fn packages(&self) -> BTreeMap<String, (String, String)> {
        let pairs = |kind: &str| -> BTreeMap<String, String> {
            let lines = self.lines(kind);
            let pairs = lines.iter().filter_map(|line| line.split_once(' '));
            pairs
                .map(|(cpv, value)| (cpv.to_owned(), value.to_owned()))
                .collect()
        };
        let mut numbers = pairs("B ");
        let packages: BTreeMap<_, _> = pairs("P ")
            .into_iter()
            .map(|(cpv, counter)| {
                let number = numbers.remove(&cpv).unwrap_or_default();
                (cpv, (counter, number))
            })
            .collect();
        assert!(!packages.is_empty(), "nothing is installed: {}", self.0);
        packages
    }
}

/// A command line that names no PKGDIR gets the store, as the workers give it one.
fn variables(line: &CommandLine) -> Vec<(&'static str, &'static Path)> {
    let named = line.environment.iter().any(|(name, _)| name == "PKGDIR");
    let store = ("PKGDIR", Path::new("/var/cache/binpkgs"));
    if named { Vec::new() } else { vec![store] }
}

fn changes(
    before: &BTreeMap<String, (String, String)>,
    after: &BTreeMap<String, (String, String)>,
) -> BTreeSet<String> {
    let mut changes: BTreeSet<String> = before
        .keys()
        .filter(|cpv| !after.contains_key(*cpv))
        .map(|cpv| format!("-{cpv}"))
        .collect();
    for (cpv, (counter, id)) in after {
        let kind = match before.get(cpv) {
            None => '+',
            Some((old, _)) if old != counter => '*',
            Some(_) => continue,
        };
        let number = if id.is_empty() {
            String::new()
        } else {
            format!(" #{id}")
        };
        changes.insert(format!("{kind}{cpv}{number}"));
    }
    changes
}

/// The lines that came and went; of a line about a file its name.
fn difference(before: &BTreeSet<String>, after: &BTreeSet<String>) -> BTreeSet<String> {
    let name = |line: &str| line.rsplit(' ').next().unwrap_or_default().to_owned();
    let gone = before
        .difference(after)
        .map(|line| format!("-{}", name(line)));
    let new = after
        .difference(before)
        .map(|line| format!("+{}", name(line)));
    gone.chain(new).collect()
}

impl Done {
    /// It ended well, and did this and nothing else to what is installed and to the world file.
    pub(crate) fn is(&self, changes: &[&str]) {
        let expected: BTreeSet<String> =
            changes.iter().map(|change| (*change).to_owned()).collect();
        assert_eq!(
            self.changes, expected,
            "what was installed: {:#?}",
            self.said
        );
        assert!(self.said.code == 0, "it did not end well: {:#?}", self.said);
        assert!(self.world.is_empty(), "the world file: {:?}", self.world);
    }

    /// Nothing was changed, well or not.
    pub(crate) fn is_nothing(&self) {
        assert!(self.changes.is_empty(), "installed: {:#?}", self);
        assert!(self.world.is_empty(), "the world file: {:#?}", self);
        self.left_the_store_alone();
    }

    /// The store is as it was.
    pub(crate) fn left_the_store_alone(&self) {
        assert!(self.store.is_empty(), "the store: {:#?}", self.store);
    }

    /// Nothing was compiled.
    pub(crate) fn compiled_nothing(&self) {
        assert!(self.compiled.is_empty(), "compiled: {:?}", self.compiled);
    }
}

/// The same line without an option.
///
/// # Panics
/// When it has no such option.
pub(crate) fn without(line: CommandLine, option: &str) -> CommandLine {
    let mut line = line;
    let before = line.argv.len();
    line.argv.retain(|argument| argument != option);
    assert_eq!(line.argv.len() + 1, before, "it has no option {option}");
    line
}

/// The same line without a variable.
///
/// # Panics
/// When it has no such variable.
pub(crate) fn without_variable(line: CommandLine, name: &str) -> CommandLine {
    let mut line = line;
    let before = line.environment.len();
    line.environment.retain(|(present, _)| present != name);
    assert_eq!(
        line.environment.len() + 1,
        before,
        "it has no variable {name}"
    );
    line
}
