//! What administrators and accidents do to machines before a run.

use std::fs;

use crate::fixtures::Lab;

/// The whole fleet goes from v1 to v2: the store holds the binaries of v1.
pub fn prepare_for_v2(lab: &Lab) {
    lab.must(&["fill", "v1"]);
    lab.must(&["publish", "v2"]);
}

/// The world of a guest, from now on.
pub fn want_only(lab: &Lab, guest: &str, atoms: &[&str]) {
    let lines = atoms.join("\\n");
    lab.sh(
        guest,
        &format!("printf '{lines}\\n' > /var/lib/portage/world"),
    );
}

/// How many seconds `app-misc/slowpoke` takes to compile on a builder.
pub fn slow_down(lab: &Lab, builder: &str, seconds: u32) {
    lab.sh(
        builder,
        &format!("echo {seconds} > /etc/portage/slowpoke.secs"),
    );
}

/// A guest that wants other USE than the others.
pub fn prefer_other_flags(lab: &Lab, guest: &str) {
    lab.sh(
        guest,
        "printf '%s\\n' 'app-misc/greeter -color emoji' 'dev-libs/libbeta doc -fast' \
         > /etc/portage/package.use/own",
    );
}

/// What a start-up file of a guest prints and sets. It looks like an answer of emerge.
const GREETING: &str = r#"
echo "Welcome. [ebuild     U  ] app-misc/decoy-2.0::gentoo [1.0::gentoo] 0 KiB"
echo "Total: 99 packages (99 upgrades), Size of downloads: 0 KiB" >&2
export LANG=de_DE.UTF-8 LC_ALL=de_DE.UTF-8 TERM=xterm-256color NOCOLOR=
export USE="doc static-libs" EMERGE_DEFAULT_OPTS="--ask --color=y"
alias emerge='echo no' python3='echo no'
"#;

/// Settings of Portage that change what emerge prints, and when it asks.
const TASTE: &str = r#"
EMERGE_DEFAULT_OPTS="--ask --quiet --jobs --color=y --with-bdeps=y"
FORCE_COLOR="true"
"#;

/// A guest whose administrator likes colours, questions, greetings and German.
pub fn make_chatty(lab: &Lab, guest: &str) {
    append(lab, guest, "/root/.bashrc", GREETING);
    append(lab, guest, "/root/.bash_profile", GREETING);
    append(lab, guest, "/etc/portage/make.conf", TASTE);
    append(
        lab,
        guest,
        "/etc/portage/color.map",
        "PKG_MERGE = bold red\n",
    );
}

pub(super) fn append(lab: &Lab, machine: &str, path: &str, text: &str) {
    let said = lab.exec(
        machine,
        &[
            "sh",
            "-c",
            r#"printf '%s' "$2" >> "$1""#,
            "append",
            path,
            text,
        ],
    );
    assert!(said.code == 0, "{machine}: {path}: {}", said.stderr);
}

/// Gives a guest a view of the store of its own: what the store gets shows up in it, and what is
/// changed in it changes nothing in the store.
pub fn shadow_store(lab: &Lab, guest: &str) {
    lab.sh(
        guest,
        "mkdir -p /run/shadow/upper /run/shadow/work
         mount -t overlay overlay \
             -o lowerdir=/var/cache/binpkgs,upperdir=/run/shadow/upper,workdir=/run/shadow/work \
             /var/cache/binpkgs",
    );
}

/// Gives a binary of the store other content of the same size and age, as a disk does that rots: only
/// a checksum tells.
pub fn spoil(lab: &Lab, path: &str) {
    let path = lab.store().join(path);
    let mut bytes = fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let middle = bytes.len() / 2;
    bytes[middle..middle + 64]
        .iter_mut()
        .for_each(|byte| *byte = !*byte);
    let age = fs::metadata(&path).and_then(|file| file.modified());
    fs::write(&path, bytes).expect("a binary is overwritten");
    let file = fs::File::options().write(true).open(&path);
    file.and_then(|file| file.set_modified(age?))
        .expect("a binary keeps its age");
}

/// Cuts a file of a guest's shadowed store in half.
pub fn truncate_in(lab: &Lab, guest: &str, path: &str) {
    let said = lab.exec(
        guest,
        &[
            "sh",
            "-euc",
            r#"truncate -s $(($(stat -c %s "$1") / 2)) "$1""#,
            "truncate",
            &format!("/var/cache/binpkgs/{path}"),
        ],
    );
    assert!(
        said.code == 0,
        "{guest}: {path} cannot be cut: {}",
        said.stderr
    );
}

/// Locks of the store that are none, as on a share that knows none: flock(1) and those of Portage.
const WITHOUT_LOCKS: &str = r#"
cat > /usr/local/bin/flock <<'END'
#!/bin/sh
case $(readlink /proc/self/fd/9) in */.gentoo-updater/lock) exit 0 ;; esac
exec /usr/bin/flock "$@"
END
chmod 755 /usr/local/bin/flock
cat > /usr/lib/python3/dist-packages/no_locks.pth <<'END'
import fcntl; fcntl.lockf = fcntl.flock = lambda *arguments: None
END
python3 -c 'import fcntl; fcntl.lockf(-1, 0)'
"#;

/// From now on the store is, for a builder, a share without locks.
pub fn take_locks_of_store_away(lab: &Lab, builder: &str) {
    lab.sh(builder, WITHOUT_LOCKS);
}
