"""Looks whether a machine is what a run needs, and changes nothing.

portage_repositories.py stands above this: the two go to the machine as one program. Its argument is
REQUEST, and it prints one JSON document between two lines that hold the request's marker. REQUEST is
JSON: {"marker": TEXT, "programs": [NAME, ...], "helpers": [NAME, ...], "spaces": [FOLDER, ...],
"store": FOLDER or null, "url": where the store is served, or null, "authority": a certificate in PEM or
null, "watch_seconds": how long a lock is watched for a sign of life}

The document is that of `MachineFacts` (fleet/src/doctor/facts.rs), with "time", the clock of the machine
in seconds since 1970 when it began.
"""

import configparser
import errno
import fcntl
import glob
import hashlib
import http.client
import json
import os
import re
import shutil
import ssl
import subprocess
import sys
import time
import urllib.error
import urllib.request

STARTED = time.time()

SETTINGS = (
    "ABI", "ARCH", "BINPKG_GPG_VERIFY_GPG_HOME", "CFLAGS", "CHOST", "CXXFLAGS", "DISTCC_HOSTS",
    "FCFLAGS", "FEATURES", "FFLAGS", "LDFLAGS", "PKGDIR", "RUSTFLAGS",
)
# Where distcc looks for its hosts when no variable names them (distcc(1)).
DISTCC_FILES = ("/etc/distcc/hosts", "/root/.distcc/hosts")
# What a repository has while it is synced, or since a sync was broken off (portage/sync/modules).
UNFINISHED = (".tmp-unverified-download-quarantine", ".git/index.lock", ".git/shallow.lock")
# What the clock of a sync shows: a mirror's time stamp is a new file here, whatever its own time is.
SYNCED = (".git/FETCH_HEAD", "metadata/timestamp.chk", "metadata/timestamp.commit")
INTERPRETER = re.compile(r"(python[0-9.]*|bash|sh|sandbox)$")
# A folder of configuration with more files is not looked through to its end.
MOST_ENTRIES = 200000


def seconds_since(then):
    return max(0, int(STARTED - then))


def missing(names):
    return [name for name in names if shutil.which(name) is None]


def existing(folder):
    """The folder, or the nearest one above it that is there: what is made lies in its file system."""
    while not os.path.exists(folder) and folder != "/":
        folder = os.path.dirname(folder)
    return folder


def spaces(folders):
    """The file systems of folders, each once."""
    found = {}
    for folder in folders:
        try:
            place = existing(folder)
            state, device = os.statvfs(place), os.stat(place).st_dev
        except OSError:
            continue
        # What has no size at all, as some file systems in user space, is taken for endless.
        if state.f_blocks and device not in found:
            found[device] = {
                "folder": folder,
                "free_megabytes": state.f_bavail * state.f_frsize // (1 << 20),
                "free_files": state.f_favail if state.f_files else None,
            }
    return list(found.values())


def index(store):
    path = os.path.join(store, "Packages")
    whole = hashlib.sha256()
    try:
        with open(path, "rb") as file:
            for part in iter(lambda: file.read(1 << 20), b""):
                whole.update(part)
            written = os.fstat(file.fileno()).st_mtime
    except FileNotFoundError:
        return None
    return {"sha256": whole.hexdigest(), "written_seconds_ago": seconds_since(written)}


def signs(folder):
    """What the holder of a lock changes (lock.sh); nothing where nobody holds it."""
    said = []
    for name in ("owner", "beat"):
        try:
            with open(os.path.join(folder, name), encoding="utf-8", errors="replace") as file:
                said.append(file.read().strip())
        except OSError:
            said.append("")
    return said if os.path.isdir(folder) else None


def lock(store, seconds):
    """The lock of the store, watched until its holder shows that it lives."""
    folder = os.path.join(store, ".gentoo-updater", "lock.d")
    first, watched = signs(folder), time.monotonic()
    while first is not None and time.monotonic() - watched < seconds:
        time.sleep(0.2)
        now = signs(folder)
        if now is None:
            return None
        if now != first:
            return {"owner": now[0], "silent_seconds": 0}
    if first is None:
        return None
    return {"owner": first[0] or "nobody knows whom", "silent_seconds": int(seconds)}


def why_no_locks(store):
    """Why the file that builders lock cannot be locked; nothing where it can be, or is not there."""
    path = os.path.join(store, ".gentoo-updater", "lock")
    try:
        with open(path, "rb") as file:
            # At most for a moment, and beside others that read.
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in (errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL):
            return error.strerror
    return None


def look_at_store(store, seconds):
    if not os.path.isdir(store):
        return {"is_there": False}
    return {
        "is_there": True,
        "index": index(store),
        "lock": lock(store, seconds),
        "no_locks": why_no_locks(store),
    }


def look_at_url(url, authority):
    """Whether the index of a store that is served can be fetched, and why not."""
    context = ssl.create_default_context()
    try:
        if authority:
            context.load_verify_locations(cadata=authority)
        with urllib.request.urlopen(url + "/Packages", timeout=15, context=context) as answer:
            answer.read(1)
        return {"has_index": True, "problem": None}
    except urllib.error.HTTPError as error:
        # There is a server, and nothing was built yet.
        problem = None if error.code == 404 else str(error)
        return {"has_index": False, "problem": problem}
    except (OSError, ValueError, http.client.HTTPException) as error:
        return {"has_index": False, "problem": str(error)}


def emerges():
    """The command lines of Portage's programs that work on this root."""
    found, root = [], os.stat("/")
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open("/proc/%s/cmdline" % pid, "rb") as file:
                words = file.read().decode("utf-8", "replace").split("\0")[:-1]
            theirs = os.stat("/proc/%s/root/." % pid)
        except OSError:
            continue
        # What runs in a container or a clean room is another machine's, or its own.
        if (theirs.st_dev, theirs.st_ino) != (root.st_dev, root.st_ino):
            continue
        names = [os.path.basename(word) for word in words[:3]]
        # A script of an interpreter, which may have an option of its own.
        if names and not INTERPRETER.match(names[0]):
            names = names[:1]
        is_pretend = any(word in ("-p", "--pretend") for word in words)
        if not is_pretend and any(name in ("emerge", "ebuild", "ebuild.sh") for name in names):
            found.append(" ".join(words)[:200])
    return sorted(found)


def half_merged():
    """Packages that were being installed: Portage renames their folder when it is done."""
    found = []
    for path in glob.glob("/var/db/pkg/*/-MERGING-*"):
        category, name = path.split(os.sep)[-2:]
        found.append("%s/%s" % (category, name[len("-MERGING-"):]))
    return sorted(found)


def pending_configuration(folders):
    number = entries = 0
    for folder in folders:
        if os.path.isfile(folder):
            folder = os.path.dirname(folder)
        for _, _, names in os.walk(folder):
            entries += len(names)
            number += sum(1 for name in names if name.startswith("._cfg"))
            if entries > MOST_ENTRIES:
                return number
    return number


def toolchain():
    """What the programs that choose compiler and linker complain of."""
    found = {}
    for program in ("gcc-config", "binutils-config"):
        if shutil.which(program) is None:
            continue
        asked = subprocess.run(
            [program, "-c"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, timeout=20)
        if asked.returncode != 0:
            said = asked.stdout.decode("utf-8", "replace").strip().splitlines()
            found[program] = said[-1].strip() if said else "exit code %d" % asked.returncode
    return found


def trusted_keys(home):
    """The keys that a home of gpg has, asked without a change of it."""
    names = ("pubring.kbx", "pubring.gpg")
    # gpg makes a keyring where there is none.
    if not any(os.path.exists(os.path.join(home, name)) for name in names):
        return []
    if shutil.which("gpg") is None:
        return None
    asked = subprocess.run(
        ["gpg", "--homedir", home, "--batch", "--no-tty", "--no-options", "--lock-never",
         "--no-auto-check-trustdb", "--with-colons", "--fixed-list-mode", "--list-keys"],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=20)
    keys, is_over = [], None
    for line in asked.stdout.decode("utf-8", "replace").splitlines():
        fields = line.split(":")
        if fields[0] == "pub":
            # Revoked, expired, disabled or invalid (gpg's doc/DETAILS).
            is_over = fields[1] in ("r", "e", "d", "i")
        elif fields[0] == "fpr" and is_over is not None:
            keys.append({"fingerprint": fields[9], "is_over": is_over})
            is_over = None
    return keys


def of_repository(repository):
    """What else is to be known of a repository that is there."""
    location = repository["location"]
    if not repository["exists"]:
        return repository
    left = [name for name in UNFINISHED if os.path.exists(os.path.join(location, name))]
    repository["unfinished"] = left[0] if left else None
    for name in SYNCED:
        try:
            changed = os.stat(os.path.join(location, name)).st_ctime
        except OSError:
            continue
        repository["synced_seconds_ago"] = seconds_since(changed)
        break
    return repository


def ask_portage(document):
    """What Portage says of itself, of the machine, and of its repositories."""
    import portage

    answer = document["portage"]
    answer["version"] = portage.VERSION
    settings = portage.settings
    answer["settings"] = {name: settings[name] for name in SETTINGS if settings.get(name)}
    answer["silent_binhosts"] = silent_binhosts(settings["PORTAGE_CONFIGROOT"])
    answer["profile"] = os.path.realpath(settings.profile_path) if settings.profiles else None
    repositories_of = repositories(portage, settings, [])
    answer["repositories"] = [of_repository(it) for it in repositories_of if it["name"]]
    protected = settings.get("CONFIG_PROTECT", "/etc").split()
    document["pending_configuration"] = pending_configuration(protected)
    if "binpkg-request-signature" in settings.get("FEATURES", "").split():
        home = settings.get("BINPKG_GPG_VERIFY_GPG_HOME") or "/etc/portage/gnupg"
        document["trusted_keys"] = trusted_keys(home)


def silent_binhosts(root):
    """The binhosts of binrepos.conf that do not say whether they sign (portage(5))."""
    place = os.path.join(root, "etc/portage/binrepos.conf")
    files = sorted(glob.glob(os.path.join(place, "*.conf"))) if os.path.isdir(place) else [place]
    parser = configparser.ConfigParser(strict=False, interpolation=None)
    try:
        parser.read(files, encoding="utf-8")
    except (configparser.Error, UnicodeDecodeError):
        return []
    return [name for name in parser.sections() if not parser.has_option(name, "verify-signature")]


def answer(request):
    document = {
        "time": STARTED,
        "user": os.geteuid(),
        "missing_programs": missing(request["programs"]),
        "missing_helpers": missing(request["helpers"]),
        "has_distcc_hosts": any(os.path.exists(path) for path in DISTCC_FILES),
        "spaces": spaces(request["spaces"]),
        "emerges": emerges(),
        "half_merged": half_merged(),
        "toolchain": toolchain(),
        "portage": {},
    }
    if request["store"]:
        document["store"] = look_at_store(request["store"], request["watch_seconds"])
    if request["url"]:
        document["served"] = look_at_url(request["url"], request["authority"])
    try:
        ask_portage(document)
    except ImportError as error:
        document["portage"]["error"] = "python3 has no Portage: {}".format(error)
    except (Exception, SystemExit) as error:  # Portage raises its own kinds, and leaves on some.
        document["portage"]["error"] = "{}: {}".format(type(error).__name__, error)
    return document


def main():
    sys.dont_write_bytecode = True
    request = json.loads(sys.argv[1])
    # Portage prints warnings where it likes; between the markers stands the document alone.
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    document = json.dumps(answer(request), sort_keys=True)
    answers.write("\n{0}\n{1}\n{0}\n".format(request["marker"], document))
    answers.close()


if __name__ == "__main__":
    main()
