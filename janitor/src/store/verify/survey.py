# Prints what lies in a store, and what its index and its records say of that, a JSON value a line. The
# functions of notes.py stand above this.
#
# Argument: the store. What is printed:
#   {"file": [PATH, STATE]}           a file, but for records, numbers and logs; STATE is
#                                     [SIZE, NANOSECONDS since 1970, INODE]
#   {"index": ["whole" | "absent" | "cut_off" | "unreadable", WORDS]}
#   {"entry": [PATH, SIZE, {ALGORITHM: DIGEST}]}
#   {"packed": whether Packages.gz is there and says something else}
#   {"record": [DIGEST, PATH, SIZE, SHA256]}
#   {"shared": [DIGEST, TEXT]}        a record whose binary others name, too
#   {"unreadable": [NAME, whether it is another version's]}
#   {"note": [DIGEST, PATH, SIZE, SHA256]}
#                                     what its builder wrote of a binary that no record names
#   {"signing": PATH}                 a binary that is being signed, or whose signing was broken off
#   "end"
# Exit code 40: the store cannot be read.
import gzip
import json
import os
import re
import stat
import sys

store = sys.argv[1]
control = os.path.join(store, ".gentoo-updater")
# Portage's names of digests (`portage/checksum.py`), and Python's, of which every hashlib has these.
ALGORITHMS = {
    "MD5": "md5",
    "SHA1": "sha1",
    "SHA256": "sha256",
    "SHA512": "sha512",
    "BLAKE2B": "blake2b",
    "BLAKE2S": "blake2s",
    "SHA3_256": "sha3_256",
    "SHA3_512": "sha3_512",
}
BINARY = (".gpkg.tar", ".xpak", ".tbz2")
DIGEST = re.compile("^[0-9a-f]{64}$")


def say(kind, *words):
    said = {kind: words if len(words) > 1 else words[0]} if words else kind
    sys.stdout.write(json.dumps(said, separators=(",", ":")) + "\n")


def is_name(name):
    """Whether a line can say it. No program of a fleet makes another."""
    try:
        name.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return name.isprintable()


def files():
    """(path below the store, stat) of every regular file that is not a record, a number or a log."""

    def failed(error):
        # Builders may be writing: what goes meanwhile is no trouble.
        if not isinstance(error, FileNotFoundError):
            raise error

    skipped = {os.path.join(control, name) for name in ("keys", "build-ids", "logs")}
    for parent, folders, names in os.walk(store, onerror=failed):
        folders[:] = [name for name in folders if os.path.join(parent, name) not in skipped]
        for name in names:
            try:
                found = os.lstat(os.path.join(parent, name))
            except FileNotFoundError:
                continue
            path = os.path.relpath(os.path.join(parent, name), store)
            if stat.S_ISREG(found.st_mode) and is_name(path):
                yield path, found


def entry(block):
    """(path, size, digests) of an entry of the index; None where Portage makes nothing of it."""
    fields = dict(line.split(": ", 1) for line in block.split("\n") if ": " in line)
    path = fields.get("PATH") or (fields["CPV"] + ".tbz2" if "CPV" in fields else None)
    digests = {own: fields[name] for name, own in ALGORITHMS.items() if name in fields}
    size = fields.get("SIZE", "")
    return path and (path, int(size) if size.isdigit() else None, digests)


def index():
    """(state, words, entries) of the index (`portage/getbinpkg.py`, `PackageIndex`)."""
    try:
        with open(os.path.join(store, "Packages"), "rb") as file:
            text = file.read().decode("utf-8")
    except FileNotFoundError:
        return "absent", "there is no index", []
    except UnicodeDecodeError:
        return "unreadable", "it is no text", []
    header, *blocks = re.split(r"\n{2,}", text.strip("\n"))
    count = re.search(r"^PACKAGES: *(\d+)$", header, re.M)
    # Without it Portage takes the index for an empty one.
    if not count or not re.search(r"^VERSION: *0$", header, re.M):
        return "unreadable", "it has no header that is understood", []
    # One that was cut off looks like one that lacks something.
    is_cut = bool(blocks) and not text.endswith("\n\n")
    entries = [found for found in map(entry, blocks[:-1] if is_cut else blocks) if found]
    if is_cut:
        return "cut_off", "its last entry has no end", entries
    if int(count.group(1)) != len(blocks):
        words = "it says that it has %s entries, and has %d" % (count.group(1), len(blocks))
        return "cut_off", words, entries
    return "whole", "", entries


def packed_differs():
    try:
        with gzip.open(os.path.join(store, "Packages.gz")) as file:
            packed = file.read()
    except FileNotFoundError:
        return False
    except (EOFError, gzip.BadGzipFile, OSError, ValueError):
        return True
    try:
        with open(os.path.join(store, "Packages"), "rb") as file:
            return file.read() != packed
    except FileNotFoundError:
        return True


def said_of(record):
    """(path, size, SHA-256) of what a record says of its binary."""
    binary = record["binary"]
    path, size, sha256 = binary["path"], binary["size"], binary["sha256"]
    is_record = isinstance(record["key"], dict) and int(size) >= 0 and DIGEST.match(sha256)
    if not (is_record and is_name(path)):
        raise ValueError("no record")
    return path, int(size), sha256


def records():
    """The paths that records name."""
    named = {}
    try:
        names = sorted(os.listdir(os.path.join(control, "keys")))
    except FileNotFoundError:
        names = []
    for name in names:
        digest, end = os.path.splitext(name)
        if end != ".json":
            continue
        is_others = False
        try:
            with open(os.path.join(control, "keys", name), "rb") as file:
                text = file.read().decode("utf-8")
            record = json.loads(text)
            is_others = record["format"] != 1
            path, size, sha256 = said_of(record)
            is_known = not is_others and DIGEST.match(digest)
        except FileNotFoundError:
            continue
        except (ValueError, KeyError, TypeError, AttributeError):
            is_known = False
        if is_known:
            say("record", digest, path, size, sha256)
            named.setdefault(path, []).append((digest, text))
        elif is_name(name):
            say("unreadable", name, is_others)
    for sharing in named.values():
        for digest, text in sharing if len(sharing) > 1 else []:
            say("shared", digest, text)
    return named


def signing():
    """The binaries that swap.py puts signed copies in the place of."""
    folder = os.path.join(control, "signing")
    try:
        names = sorted(os.listdir(folder))
    except FileNotFoundError:
        return
    for name in names:
        try:
            if name.endswith(".json"):
                with open(os.path.join(folder, name), encoding="utf-8") as file:
                    path = json.load(file)["path"]
                if is_name(path):
                    yield path
        except (FileNotFoundError, ValueError, KeyError, TypeError, AttributeError):
            continue


def main():
    # What is not there has nothing that could be wrong.
    os.scandir(store).close()
    # Before all: what is being signed is so until its record is written.
    for path in signing():
        say("signing", path)
    # Records first: one that comes meanwhile is about a file that is seen then.
    named = records()
    state, words, entries = index()
    say("index", state, words)
    for path, size, digests in entries:
        if is_name(path):
            say("entry", path, size, digests)
    say("packed", packed_differs())
    for path, found in files():
        say("file", path, [found.st_size, found.st_mtime_ns, found.st_ino])
        if path.endswith(BINARY) and not path.startswith(".") and path not in named:
            for digest, note in notes_of(store, path):
                try:
                    say("note", digest, *said_of(note))
                except (ValueError, KeyError, TypeError, AttributeError):
                    continue
    say("end")


try:
    main()
except OSError as error:
    sys.stderr.write("cannot read the store %s: %s: is it there, and mounted?\n" % (store, error))
    sys.exit(40)
