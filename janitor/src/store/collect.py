# Takes binaries and other files out of a store, whose lock is held. The functions of index.py of
# the runtime and of notes.py stand above this.
#
# Argument: the store. Standard input, a line each:
#   binary PATH DIGEST SIZE NANOSECONDS INODE
#                         a binary, and the record that names it
#   orphan PATH DIGEST SIZE NANOSECONDS INODE
#                         a binary that no record names, with the key that it was built for
#   record DIGEST PATH    a record without a binary
#   file PATH             another file
#
# SIZE, NANOSECONDS since 1970 and INODE are what the file was when it was found to be what its builder
# put there. One that has others by now was changed meanwhile, and is left alone; so is a record that names
# another file by now, or one that is there.
#
# Whoever reads the index finds every file that it names, whenever this is killed: an entry goes
# before its file. A record goes last: until then it says whose the file is.
#
# Prints what was done: {"binaries": N, "records": N, "files": N, "bytes": N, "left": [[PATH, WHY], …]}
# Exit codes: 30 the store cannot be written, 32 the index cannot be understood.
import hashlib
import json

store = sys.argv[1]
control = os.path.join(store, ".gentoo-updater")
done = {"binaries": 0, "records": 0, "files": 0, "bytes": 0, "left": []}


def record_of(digest):
    return os.path.join(control, "keys", digest + ".json")


def remove(path, what):
    try:
        size = os.stat(path).st_size
        os.unlink(path)
    except FileNotFoundError:
        return
    done[what] += 1
    done["bytes"] += size


def recorded(digest):
    """What the record of a key says of its binary: empty where there is none, None where it cannot be
    read."""
    try:
        with open(record_of(digest), encoding="utf-8") as file:
            binary = json.load(file)["binary"]
        return {"path": binary["path"], "sha256": binary["sha256"]}
    except FileNotFoundError:
        return {}
    except (ValueError, KeyError, TypeError):
        return None


def has_content(path, sha256):
    content = hashlib.sha256()
    try:
        with open(os.path.join(store, path), "rb") as file:
            for part in iter(lambda: file.read(1 << 20), b""):
                content.update(part)
    except OSError:
        # Whatever the reason is, nobody can use it now.
        return False
    return content.hexdigest() == sha256


def hindrance(kind, path, digest, state):
    """Why a binary must not go, if it must not."""
    found = os.lstat(os.path.join(store, path))
    if [found.st_size, found.st_mtime_ns, found.st_ino] != state:
        return "it was changed meanwhile"
    record = recorded(digest)
    if kind == "binary":
        is_its = record is not None and record.get("path") == path
        return None if is_its else "its record is about another binary by now"
    # A record that cannot be read may be about this one.
    if record is None or record.get("path") == path:
        return "it has its record by now"
    if record and not has_content(record["path"], record["sha256"]):
        return "the other binary of its key is no good one"
    return None


def remove_record(digest, path):
    record = recorded(digest)
    if record and record["path"] == path and not os.path.lexists(os.path.join(store, path)):
        remove(record_of(digest), "records")


def take_out_of_index(paths):
    header, entries = read_index(store)
    if header is not None:
        write_index(store, header, [entry for entry in entries if path_of(entry) not in paths])


def main():
    binaries, records, files = [], [], []
    for line in sys.stdin.read().splitlines():
        kind, rest = line.split(" ", 1)
        if kind == "file":
            files.append(rest)
        elif kind == "record":
            records.append(rest.split(" "))
        else:
            path, digest, *state = rest.split(" ")
            try:
                why = hindrance(kind, path, digest, [int(number) for number in state])
            except FileNotFoundError:
                continue
            if why:
                done["left"].append([path, why])
            else:
                binaries.append((path, digest))
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
        # The record of an orphan's key is about another binary, and stays.
        records.append((digest, path))
    for digest, path in records:
        remove_record(digest, path)
    for path in files:
        remove(os.path.join(store, path), "files")


try:
    main()
except OSError as error:
    fail(30, "the store cannot be written: %s" % error)
print(json.dumps(done))
