# Mends a store, whose lock is held. The functions of index.py of the runtime and of notes.py stand above
# this.
#
# Argument: the store. Standard input: a JSON object,
#   "state"        of the index: "whole", "absent", "cut_off", "unreadable"
#   "forget"       paths whose entries of the index go
#   "remove"       [PATH, STATE, SHA256, [DIGEST, …]]: binaries that go with their records
#   "quarantine"   [PATH, STATE, SHA256]: binaries of others that are moved away
#   "restore"      [PATH, STATE, DIGEST]: binaries whose builder's note becomes their record again
#   "records"      [NAME, PATH | null]: records that go, if they still name this path or cannot be read
#   "stays"        [PATH, STATE]: binaries that are there, and of which records go all the same
#   "unusable"     [PATH, STATE]: other files that go
#   "fix"          the command that brings the index up to date; none where it is as it has to be
#   "expected"     paths that the index names then
#
# STATE is [SIZE, NANOSECONDS since 1970, INODE]: a file that has another one by now was changed by
# somebody else meanwhile, and is left alone. What goes because of its content is read once more from the
# disk, and left alone where that has another SHA256 than before: a disk, a share or a memory that gives
# now this and now that says nothing of a file.
#
# Whoever reads the index finds every file that it names, whenever this is killed: an entry goes before
# its file. A record goes last, and comes last: until then it says whose the file is.
#
# Prints what was done. Exit codes: 30 the store cannot be written, 32 the index cannot be brought up
# to date.
import hashlib
import json
import subprocess

store = sys.argv[1]
control = os.path.join(store, ".gentoo-updater")
index = os.path.join(store, "Packages")
done = {"removed": 0, "quarantined": [], "restored": 0, "records": 0, "files": 0, "left": []}


def is_as_it_was(path, state):
    try:
        found = os.lstat(os.path.join(store, path))
    except FileNotFoundError:
        return False
    return [found.st_size, found.st_mtime_ns, found.st_ino] == state


def doubt(path, sha256):
    """Why it is not sure that a file has this content, if it is not."""
    content = hashlib.sha256()
    try:
        with open(os.path.join(store, path), "rb") as file:
            # Not what the memory still has of it.
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
            for part in iter(lambda: file.read(1 << 20), b""):
                content.update(part)
    except OSError as error:
        return "it cannot be read: %s" % error.strerror
    return None if content.hexdigest() == sha256 else "it reads otherwise each time"


def read(path):
    try:
        with open(path, "rb") as file:
            return file.read()
    except FileNotFoundError:
        return None


def place_of(entry):
    """As Portage finds a binary that has no PATH."""
    named = re.search(r"^CPV: *(.*)$", entry, re.M)
    return path_of(entry) or (named.group(1) if named else "") + ".tbz2"


def entries_of(text):
    header, *entries = re.split(r"\n{2,}", text.strip("\n"))
    # An entry that was cut off may say less than it should of what is there.
    if entries and not text.endswith("\n\n"):
        entries.pop()
    return header, entries


def take_out_of_index(state, paths):
    if state == "unreadable":
        # Portage would take it for empty. Nothing of it can be kept.
        os.unlink(index)
        return
    before = read(index)
    if before is None or not paths and state == "whole":
        return
    header, entries = entries_of(before.decode("utf-8"))
    left = [entry for entry in entries if place_of(entry) not in paths]
    write_whole(index, index_of(header, left), os.stat(index))
    # The disk has it before a file is gone, also when the power is lost.
    os.sync()


def fix_index(command):
    ended = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                           stderr=subprocess.STDOUT, check=False)
    if ended.returncode != 0:
        said = ended.stdout.decode("utf-8", "replace").strip()
        fail(32, "the index of %s could not be brought up to date: %s" % (store, said))


def pack_index():
    packed, content = index + ".gz", read(index)
    if not os.path.exists(packed):
        return
    if content is None:
        os.unlink(packed)
        return
    try:
        is_same = gzip.decompress(read(packed)) == content
    except (EOFError, OSError, ValueError, gzip.zlib.error):
        is_same = False
    if not is_same:
        write_whole(packed, gzip.compress(content, 9, mtime=0), os.stat(index))


def quarantine(path):
    """Moves a file to where neither Portage nor this program takes it for a binary."""
    place = os.path.join(control, "quarantine", path + ".spoiled")
    number = 1
    while os.path.lexists(place):
        number += 1
        place = os.path.join(control, "quarantine", "%s.spoiled-%d" % (path, number))
    os.makedirs(os.path.dirname(place), exist_ok=True)
    os.rename(os.path.join(store, path), place)
    done["quarantined"].append(os.path.relpath(place, store))


def remove(path):
    try:
        os.unlink(os.path.join(store, path))
    except FileNotFoundError:
        return False
    try:
        # The folder of a package that has no binary any more.
        os.rmdir(os.path.dirname(os.path.join(store, path)))
    except OSError:
        pass
    return True


def named_by(name):
    """The path that a record names; None where it cannot be read, or is not there."""
    try:
        return json.loads(read(os.path.join(control, "keys", name)) or b"")["binary"]["path"]
    except (ValueError, KeyError, TypeError):
        return None


def remove_record(name, path):
    record = os.path.join(control, "keys", name)
    if os.path.exists(record) and named_by(name) == path:
        os.unlink(record)
        done["records"] += 1


def restore(path, digest):
    record = os.path.join(control, "keys", digest + ".json")
    if named_by(digest + ".json") is not None:
        return
    for found, note in notes_of(store, path):
        if found == digest:
            text = json.dumps(note, ensure_ascii=False, separators=(",", ":")) + "\n"
            os.makedirs(os.path.dirname(record), exist_ok=True)
            write_whole(record, text.encode("utf-8"))
            done["restored"] += 1


def signing():
    """The binaries whose signing has begun since, and was not ended (swap.py)."""
    folder = os.path.join(control, "signing")
    found = set()
    for name in os.listdir(folder) if os.path.isdir(folder) else []:
        if name.endswith(".json"):
            try:
                found.add(json.loads(read(os.path.join(folder, name)) or b"")["path"])
            except (ValueError, KeyError, TypeError):
                continue
    return found


def kept(plan):
    """What is left as it is, and why."""
    left = {}
    for kind in ("remove", "quarantine", "restore", "unusable", "stays"):
        for path, state, *_ in plan[kind]:
            if not is_as_it_was(path, state):
                left[path] = "it was changed meanwhile"
    # A record may be about nothing because its binary was not there yet.
    stays = {path for path, _ in plan["stays"]}
    for _, path in plan["records"]:
        if path is not None and path not in stays and os.path.exists(os.path.join(store, path)):
            left[path] = "it was changed meanwhile"
    planned = {one[0] for kind in ("remove", "quarantine", "restore", "unusable", "stays") for one in plan[kind]}
    planned |= set(plan["forget"]) | {path for _, path in plan["records"]}
    left.update((path, "it is being signed") for path in signing() & planned)
    for path, _, sha256, *_ in plan["remove"] + plan["quarantine"]:
        words = left.get(path) or doubt(path, sha256)
        if words:
            left[path] = words
    return left


def main():
    plan = json.load(sys.stdin)
    left = kept(plan)
    done["left"] = sorted(left.items())
    records = [(name, path) for name, path in plan["records"] if path not in left]

    take_out_of_index(plan["state"], set(plan["forget"]) - set(left))
    for path, _, _, digests in plan["remove"]:
        if path not in left:
            done["removed"] += remove(path)
            for digest in digests:
                forget(store, path, digest)
                records.append((digest + ".json", path))
    for path, *_ in plan["quarantine"]:
        if path not in left:
            quarantine(path)
    for path, _ in plan["unusable"]:
        if path not in left:
            done["files"] += remove(path)
    if plan["fix"]:
        fix_index(plan["fix"])
    pack_index()
    content = read(index)
    indexed = {path_of(entry) for entry in entries_of((content or b"").decode("utf-8"))[1]}
    for path in plan["expected"]:
        if path not in indexed and path not in left and os.path.exists(os.path.join(store, path)):
            words = "Portage takes it for no binary package: its name or its content is none of one"
            done["left"].append([path, words])
    # Damaged ones first: the note of the key may take the place of one.
    for name, path in records:
        remove_record(name, path)
    for path, _, digest in plan["restore"]:
        if path not in left:
            restore(path, digest)


try:
    main()
except OSError as error:
    fail(30, "the store cannot be written: %s" % error)
print(json.dumps(done))
