# Reads files of a store, each once, and prints their digests.
#
# Argument: the store. Standard input, a line each: ALGORITHM,… PATH. The word `whole` among the
# algorithms asks whether a binary package is whole by what stands in itself.
#
# Prints a JSON array a line, in any order:
#   [PATH, [SIZE, NANOSECONDS since 1970, INODE], {ALGORITHM: DIGEST}, true | false | null]
#   [PATH, null]       it is not there, or is changed while it is read
#   [PATH, WORDS]      it cannot be read
#
# A thread for each processor: hashlib lets others run while it reckons. The largest files come first,
# so that all end together. All digests of a part are made while the processor still has it near.
import hashlib
import json
import os
import sys
import tarfile
import threading

store = sys.argv[1]
PART = 256 * 1024
said = threading.Lock()


def say(*words):
    with said:
        sys.stdout.write(json.dumps(words, separators=(",", ":")) + "\n")


def state_of(found):
    return [found.st_size, found.st_mtime_ns, found.st_ino]


def digests_of(file, algorithms, part):
    made = {name: hashlib.new(name, usedforsecurity=False) for name in algorithms}
    view = memoryview(part)
    while True:
        count = file.readinto(part)
        if not count:
            return {name: one.hexdigest() for name, one in made.items()}
        for one in made.values():
            one.update(view[:count])


def is_whole(file, path):
    """Whether a binary package is whole; None where its form does not tell."""
    file.seek(0)
    if path.endswith(".gpkg.tar"):
        return is_whole_gpkg(file)
    # What is behind the archive ends with its own length (xpak(5)).
    size = file.seek(0, os.SEEK_END)
    if size < 24:
        return False
    file.seek(size - 16)
    end = file.read(16)
    return end[:8] == b"XPAKSTOP" and end[12:] == b"STOP" and int.from_bytes(end[8:12], "big") <= size - 8


def is_whole_gpkg(file):
    """Whether it has all that its Manifest names, as it says (gpkg(5), GLEP 78)."""
    manifest, found = None, {}
    try:
        with tarfile.open(fileobj=file, mode="r:") as package:
            for member in package:
                name = os.path.basename(member.name)
                if not member.isreg():
                    continue
                content = package.extractfile(member)
                if name == "Manifest":
                    manifest = content.read().decode("utf-8")
                    continue
                sums = {"SHA512": hashlib.sha512(), "BLAKE2B": hashlib.blake2b()}
                size = 0
                for part in iter(lambda: content.read(PART), b""):
                    size += len(part)
                    for one in sums.values():
                        one.update(part)
                found[name] = (size, {name: one.hexdigest() for name, one in sums.items()})
    except (tarfile.TarError, UnicodeDecodeError, EOFError):
        return False
    if manifest is None:
        return False
    named = set()
    for line in manifest.splitlines():
        words = line.split()
        if words[:1] != ["DATA"] or len(words) < 3:
            continue
        named.add(words[1])
        size, sums = found.get(words[1], (None, {}))
        if words[2] != str(size):
            return False
        for algorithm, digest in zip(words[3::2], words[4::2]):
            if sums.get(algorithm, digest) != digest:
                return False
    parts = {name.split(".")[0] for name in named}
    return {"metadata", "image"} <= parts


def measure(line, part):
    algorithms, path = line.split(" ", 1)
    algorithms = set(algorithms.split(","))
    wants_whole = "whole" in algorithms
    algorithms.discard("whole")
    try:
        with open(os.path.join(store, path), "rb", buffering=0) as file:
            before = state_of(os.fstat(file.fileno()))
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_SEQUENTIAL)
            digests = digests_of(file, sorted(algorithms), part) if algorithms else {}
            whole = is_whole(file, path) if wants_whole else None
            if state_of(os.fstat(file.fileno())) != before:
                return say(path, None)
            say(path, before, digests, whole)
    except FileNotFoundError:
        say(path, None)
    except OSError as error:
        say(path, error.strerror or str(error))


def size_of(line):
    try:
        return os.stat(os.path.join(store, line.split(" ", 1)[1])).st_size
    except OSError:
        return 0


def work(lines):
    part = bytearray(PART)
    while True:
        try:
            line = lines.pop()
        except IndexError:
            return
        try:
            measure(line, part)
        except Exception as error:  # Its file is told as unreadable; the others go on.
            say(line.split(" ", 1)[1], "%s: %s" % (type(error).__name__, error))


lines = sorted((line.rstrip("\n") for line in sys.stdin), key=size_of)
count = min(len(lines), len(os.sched_getaffinity(0)))
threads = [threading.Thread(target=work, args=(lines,)) for _ in range(count)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
