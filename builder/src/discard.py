# Takes a binary out of a store that is not what it was when it was stored, with its entry of the index and
# its record. The store's lock is held. The functions of index.py of the runtime stand above this.
#
# Arguments: the store; the digest of the build key; the path that its record names.
#
# What is good is left alone, and so is what the index agrees with: somebody else has put that there, by
# hand and under a number that was free again. Then the record alone goes. Whoever reads the index finds
# every file that it names, whenever this is killed; the record goes last, and says until then whose the file
# is.
#
# Prints what it has done: `nothing`, `record`, or `binary`.
# Exit codes: 30 the store cannot be written, 32 the index cannot be understood.
import hashlib
import json

store, digest, path = sys.argv[1:]
record = os.path.join(store, ".gentoo-updater", "keys", digest + ".json")
file = os.path.join(store, path)


def recorded():
    """What the record says of this binary, if it is still about it."""
    try:
        with open(record, encoding="utf-8") as text:
            binary = json.load(text)["binary"]
        return binary if binary["path"] == path else None
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return None


def digests():
    """By their names in the index and in records; nothing where there is no file."""
    made = {"SIZE": 0, "MD5": hashlib.md5(), "SHA1": hashlib.sha1(), "sha256": hashlib.sha256()}
    try:
        with open(file, "rb") as content:
            # Not what the memory still has of it, which may be all that is wrong.
            os.posix_fadvise(content.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
            for part in iter(lambda: content.read(1 << 20), b""):
                made["SIZE"] += len(part)
                for name in ("MD5", "SHA1", "sha256"):
                    made[name].update(part)
    except FileNotFoundError:
        return None
    return {name: value if name == "SIZE" else value.hexdigest() for name, value in made.items()}


def agrees(entry, found):
    """Whether an entry says of the file what is so."""
    said = dict(line.split(": ", 1) for line in entry.split("\n") if ": " in line)
    named = [name for name in ("SIZE", "MD5", "SHA1") if name in said]
    return len(named) > 1 and all(said[name] == str(found[name]) for name in named)


def main():
    binary, found = recorded(), digests()
    if binary is None or (found and found["sha256"] == binary["sha256"]):
        return "nothing"
    header, entries = read_index(store)
    own = [entry for entry in entries if path_of(entry) == path]
    is_others = found is not None and any(agrees(entry, found) for entry in own)
    if own and not is_others:
        write_index(store, header, [entry for entry in entries if path_of(entry) != path])
        # The disk has it before the file is gone, also when the power is lost.
        os.sync()
    if found and not is_others:
        os.unlink(file)
    os.unlink(record)
    return "record" if is_others else "binary"


try:
    print(main())
except OSError as error:
    fail(30, "the store cannot be written: %s" % error)
