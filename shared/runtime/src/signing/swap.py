# Puts signed copies in the place of the binaries of a store, whose lock is held. index.py stands
# above this.
#
# Argument: the store. Standard input: a list in JSON of
#   {"digest", "path", "before": SHA-256, "signed": {"by", "size", "sha256", "md5", "sha1", "mtime"}}
# whose copies lie in .gentoo-updater/signing/DIGEST.gpkg.tar. It may be empty: what somebody began and
# did not end is ended in any case.
#
# Whenever this is killed every file that the index names is what the index says of it, and the next one
# goes on from what is written down beside the copies. A binary leaves the index, then its file is another
# one, then the index has it again, and then its record tells of it.
#
# Prints how many binaries were changed. Exit codes: 30 the store cannot be written, 32 the index cannot
# be understood.
import json

store = sys.argv[1]
control = os.path.join(store, ".gentoo-updater")
folder = os.path.join(control, "signing")
kept = os.path.join(folder, "entries.kept")
# After how many seconds a copy is nobody's that no intent names.
LEFT = 24 * 3600


def load(path):
    try:
        with open(path, encoding="utf-8") as file:
            return json.load(file)
    except (FileNotFoundError, ValueError):
        return None


def dump(value):
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8")


def intent_of(digest):
    return os.path.join(folder, digest + ".json")


def copy_of(digest):
    return os.path.join(folder, digest + ".gpkg.tar")


def record_of(digest):
    return os.path.join(control, "keys", digest + ".json")


def size_of(path):
    try:
        return os.stat(path).st_size
    except FileNotFoundError:
        return None


def stands(intent):
    """Whether the binary is still that of which the copy was made, or the copy itself."""
    record = load(record_of(intent["digest"]))
    if record is None or record["binary"]["path"] != intent["path"]:
        return False
    signed = intent["signed"]
    if record["binary"]["sha256"] not in (intent["before"], signed["sha256"]):
        return False
    place = os.path.join(store, intent["path"])
    is_whole = size_of(copy_of(intent["digest"])) == signed["size"]
    return size_of(place) is not None and (is_whole or size_of(place) == signed["size"])


def swap(intents):
    paths = {intent["path"]: intent for intent in intents}
    header, entries = read_index(store)
    if header is not None:
        # What the index said is kept until it says it again.
        former = load(kept) or {}
        former.update((path_of(entry), entry) for entry in entries if path_of(entry) in paths)
        write_whole(kept, dump(former))
        entries = [entry for entry in entries if path_of(entry) not in paths]
        write_index(store, header, entries)
    os.sync()
    for intent in intents:
        copy, place = copy_of(intent["digest"]), os.path.join(store, intent["path"])
        if os.path.exists(copy):
            like = os.stat(place)
            os.chmod(copy, like.st_mode & 0o7777)
            os.chown(copy, like.st_uid, like.st_gid)
            os.rename(copy, place)
    os.sync()
    if header is not None:
        named = {path_of(entry) for entry in entries}
        for path, entry in former.items():
            if path in paths:
                entries.append(renewed(entry, paths[path]["signed"]))
            elif path not in named and "SIZE: %s" % size_of(os.path.join(store, path)) in entry:
                # Somebody gave up what a former one of these began.
                entries.append(entry)
        entries.sort(key=lambda entry: path_of(entry) or "")
        write_index(store, header, entries)
    for intent in intents:
        record = load(record_of(intent["digest"]))
        signed = intent["signed"]
        record["binary"].update(size=signed["size"], sha256=signed["sha256"], signed_by=signed["by"])
        # The note of whoever built it, beside its number, tells the same.
        number = os.path.join(control, "build-ids", intent["path"][: -len(".gpkg.tar")])
        note = os.path.join(number, intent["digest"] + ".json")
        if os.path.exists(note):
            write_whole(note, dump(record))
        write_whole(record_of(intent["digest"]), dump(record))
    os.sync()


def remove(path):
    try:
        os.unlink(path)
    except FileNotFoundError:
        pass


def main():
    os.makedirs(folder, exist_ok=True)
    for request in json.load(sys.stdin):
        write_whole(intent_of(request["digest"]), dump(request))
    names = [name for name in sorted(os.listdir(folder)) if name.endswith(".json")]
    intents = [load(os.path.join(folder, name)) for name in names]
    intents = [intent for intent in intents if intent is not None]
    standing = [intent for intent in intents if stands(intent)]
    if standing or os.path.exists(kept):
        swap(standing)
    remove(kept)
    for name in names:
        digest = name[: -len(".json")]
        remove(copy_of(digest))
        remove(intent_of(digest))
    for name in os.listdir(folder):
        path = os.path.join(folder, name)
        if time.time() - os.stat(path).st_mtime > LEFT:
            remove(path)
    print(len(standing))


try:
    main()
except OSError as error:
    fail(30, "the store cannot be written: %s" % error)
