# Takes binaries and other files out of a store, whose lock is held. The functions of index.py of
# the runtime and of notes.py stand above this.
#
# Argument: the store. Standard input, a line each:
#   binary PATH DIGEST    a binary, and the record that names it
#   orphan PATH DIGEST SHA256
#                         a binary that no record names, with the key that it was built for
#   record DIGEST         a record without a binary
#   file PATH             another file
#
# Whoever reads the index finds every file that it names, whenever this is killed: an entry goes
# before its file. A record goes last: until then it says whose the file is.
#
# Prints what was done: {"binaries": N, "records": N, "files": N, "bytes": N}
# Exit codes: 30 the store cannot be written, 32 the index cannot be understood.
import hashlib
import json

store = sys.argv[1]
control = os.path.join(store, ".gentoo-updater")
removed = {"binaries": 0, "records": 0, "files": 0, "bytes": 0}


def record_of(digest):
    return os.path.join(control, "keys", digest + ".json")


def remove(path, what):
    try:
        size = os.stat(path).st_size
        os.unlink(path)
    except FileNotFoundError:
        return
    removed[what] += 1
    removed["bytes"] += size


def has_content(path, sha256):
    content = hashlib.sha256()
    try:
        with open(os.path.join(store, path), "rb") as file:
            for part in iter(lambda: file.read(1 << 20), b""):
                content.update(part)
    except FileNotFoundError:
        return False
    return content.hexdigest() == sha256


def is_orphan(path, digest, sha256):
    """Whether it is still what its builder has put there, and is not needed for its key: no record
    names it yet, and the one that its key has by now names a good binary."""
    try:
        with open(record_of(digest), encoding="utf-8") as file:
            recorded = json.load(file)["binary"]
        if recorded["path"] == path or not has_content(recorded["path"], recorded["sha256"]):
            return False
    except FileNotFoundError:
        pass
    except (ValueError, KeyError, TypeError):
        # A record that cannot be read may be about this one.
        return False
    return has_content(path, sha256)


def take_out_of_index(paths):
    header, entries = read_index(store)
    if header is not None:
        write_index(store, header, [entry for entry in entries if path_of(entry) not in paths])


def main():
    binaries, records, files, orphans = [], [], [], set()
    for line in sys.stdin.read().splitlines():
        kind, *rest = line.split(" ", 2)
        if kind == "binary":
            binaries.append(rest)
        elif kind == "orphan":
            path, digest, sha256 = line.split(" ")[1:]
            if is_orphan(path, digest, sha256):
                binaries.append((path, digest))
                orphans.add(path)
        elif kind == "record":
            records.append(rest[0])
        else:
            files.append(line.split(" ", 1)[1])
    if binaries:
        take_out_of_index({path for path, _ in binaries})
        # The disk has it before a file is gone, also when the power is lost.
        os.sync()
    for path, digest in binaries:
        whole = os.path.join(store, path)
        remove(whole, "binaries")
        try:
            # The folder of a package that has no binary any more.
            os.rmdir(os.path.dirname(whole))
        except OSError:
            pass
        forget(store, path, digest)
        # The record of an orphan's key is about another binary.
        if path not in orphans:
            records.append(digest)
    for digest in records:
        remove(record_of(digest), "records")
    for path in files:
        remove(os.path.join(store, path), "files")


try:
    main()
except OSError as error:
    fail(30, "the store cannot be written: %s" % error)
print(json.dumps(removed))
