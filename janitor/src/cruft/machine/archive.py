# The archives of a machine: each a folder STATE/cruft/RUN.NUMBER with an archive of tar and an index.
#
# The archive is whole, read back and on the disk before anything that is in it goes; the folder gets
# its name when both are there. Only then what is in the index is removed, if it is still what it was.
# Whoever is killed meanwhile leaves an index with entries that say `archived`: the next one goes on.
import fcntl
import shutil
import subprocess
import tarfile

INDEX = b"index.json"
UNFINISHED = b".part"
ARCHIVED, REMOVED, STAYS, RESTORED = "archived", "removed", "stays", "restored"


class Trouble(Exception):
    """Why nothing could be done, in words for people."""


class Archives:
    """All archives of a machine, which nobody else changes meanwhile."""

    def __init__(self, place):
        self.place, self.folder = place, place.state + b"/cruft"
        self.damaged = []

    def __enter__(self):
        os.makedirs(self.folder, exist_ok=True)
        os.chmod(self.folder, 0o700)
        self.lock = open(os.path.join(self.folder, b".lock"), "wb")
        fcntl.flock(self.lock, fcntl.LOCK_EX)
        for name in os.listdir(self.folder):
            # Nothing that is in one of these was removed, or all that was is not wanted any more.
            if name.endswith(UNFINISHED):
                shutil.rmtree(os.path.join(self.folder, name))
        return self

    def __exit__(self, *_):
        self.lock.close()

    def all(self):
        """Those that can be read, the oldest first. `damaged` says of the others why not."""
        found, self.damaged = [], []
        for name in sorted(os.listdir(self.folder)):
            path = os.path.join(self.folder, name)
            if name.startswith(b"."):
                continue
            try:
                found.append(Archive(self.place, path))
            except (OSError, ValueError, KeyError, TypeError) as error:
                self.damaged.append("%s cannot be read (%r): nothing is restored from this archive, and "
                                    "its folder has to be removed by hand"
                                    % (shown(os.path.join(path, INDEX)), error))
        return sorted(found, key=lambda one: (one.index["made"], one.path))

    def are_of_run(self, run):
        """Those of a run, where all of them can be read."""
        own = self.of_run(run)
        for words in self.damaged:
            if words.startswith(shown(os.path.join(self.folder, os.fsencode(run) + b"."))):
                raise Trouble(words)
        return own

    def of_run(self, run):
        return [one for one in self.all() if one.index["run"] == run]

    def new_path(self, run):
        number = 1
        while os.path.exists(os.path.join(self.folder, b"%s.%d" % (os.fsencode(run), number))):
            number += 1
        return os.path.join(self.folder, b"%s.%d" % (os.fsencode(run), number))


class Archive:
    """One archive with its index."""

    def __init__(self, place, path):
        self.place, self.path = place, path
        with open(os.path.join(path, INDEX), "rb") as file:
            self.index = json.loads(file.read())
        # What nothing can be done without.
        _ = [self.index[key] for key in ("run", "made", "size", "entries")]
        self.file = os.path.join(path, os.fsencode(self.index["archive"]))

    def save(self):
        write_index(self.path, self.index)

    def entries(self, state):
        return [one for one in self.index["entries"] if one["state"] == state]

    def gone(self):
        """What it has that was removed from the machine, whether or not it is there again."""
        return [one for one in self.index["entries"] if one["state"] in (REMOVED, RESTORED)]

    def remove_archived(self):
        """Removes from the machine what is in the archive and still what it was there."""
        left = self.entries(ARCHIVED)
        # What is in a folder goes before the folder.
        for entry in sorted(left, key=lambda one: os.fsencode(one["path"]), reverse=True):
            entry["state"] = self.remove(entry)
        if left:
            self.save()

    def remove(self, entry):
        full = self.place.at(os.fsencode(entry["path"]))
        try:
            status = os.lstat(full)
            if identity(status)[:2] != entry["identity"][:2]:
                return STAYS
            if stat.S_ISDIR(status.st_mode):
                os.rmdir(full)
            elif is_same(entry["identity"], status):
                os.unlink(full)
            else:
                return STAYS
        except FileNotFoundError:
            # An attempt that was killed has removed it.
            return REMOVED
        except OSError as error:
            if not stat.S_ISDIR(status.st_mode):
                print("%s stays: %s" % (shown(entry["path"]), error))
            return STAYS
        return REMOVED


def describe(archive):
    """What is told of an archive."""
    index = archive.index
    return {"run": index["run"], "made": index["made"], "size": index["size"],
            "path": os.fsdecode(archive.file), "files": len(archive.gone()),
            "restored": len(archive.entries(RESTORED))}


def identity(status):
    return [stat.S_IFMT(status.st_mode), status.st_ino, status.st_size, status.st_mtime_ns,
            status.st_ctime_ns if status.st_nlink == 1 else 0]


def is_same(kept, status):
    """A file of several names gets another ctime when one of them goes."""
    now = identity(status)
    return kept[:4] == now[:4] and (kept[4] == now[4] or kept[4] == 0)


def owner(status):
    """Its mode and owner, by which it is seen that it came back as it was."""
    return [stat.S_IMODE(status.st_mode), status.st_uid, status.st_gid]


def shown(path):
    """A path as it is printed, and named again: bytes that are no text, and what would command a
    terminal, as `\\xNN`."""
    text = os.fsdecode(path).replace("\\", "\\\\")
    return "".join(one if one.isprintable() else "".join(
        "\\x%02x" % byte for byte in os.fsencode(one)) for one in text)


def write_index(folder, index):
    write_whole(os.path.join(folder, INDEX), [json.dumps(index).encode()])


def tar_of(path):
    """tar with what unpacks this file."""
    return ["tar", "--zstd" if path.endswith(b".zst") else "--gzip", "--file", os.fsdecode(path)]


ATTRIBUTES = ["--acls", "--xattrs", "--xattrs-include=*", "--numeric-owner"]


def create(archives, run, entries, now):
    """Archives these entries of the machine: (path, lstat). Gives the archive, of which nothing was
    removed yet; nothing where none of it can be read."""
    place, final = archives.place, archives.new_path(run)
    folder = final + UNFINISHED
    os.mkdir(folder, 0o700)
    name = b"files.tar.zst" if shutil.which("zstd") else b"files.tar.gz"
    file = os.path.join(folder, name)
    words = tar_of(file) + ATTRIBUTES + [
        "--create", "--format=posix", "--sparse", "--hard-dereference", "--no-recursion",
        "--directory", os.fsdecode(place.root or b"/"), "--null", "--files-from=-"]
    # What went meanwhile is no trouble, and to tar it is one. Of what it could read in part alone it says
    # so, and writes zeros for the rest: what it wrote is compared.
    words += ["--ignore-failed-read"]
    try:
        names = b"\0".join(path[1:] for path, _ in entries)
        ended = subprocess.run(words, input=names, stderr=subprocess.PIPE)
        said = ended.stderr.decode(errors="replace").strip()
        # 1: something changed while it was read. It is not what it was, and stays.
        if ended.returncode not in (0, 1):
            raise Trouble("tar cannot archive: %s" % said)
        if said:
            print(said)
        archived = members(file)
        entries = [(path, status) for path, status in entries
                   if path in archived and archived[path] == content(place.at(path), status)]
        if not entries:
            shutil.rmtree(folder)
            return None
        with open(file, "rb") as written:
            os.fsync(written.fileno())
        write_index(folder, {
            "format": FORMAT, "run": run, "made": now, "archive": os.fsdecode(name),
            "size": os.stat(file).st_size,
            "entries": [{"path": os.fsdecode(path), "identity": identity(status),
                         "links": [status.st_dev, status.st_ino] if status.st_nlink > 1 else None,
                         "owner": owner(status), "state": ARCHIVED} for path, status in entries]})
        os.rename(folder, final)
        sync_folder(archives.folder)
    except (OSError, Trouble, tarfile.TarError):
        shutil.rmtree(folder)
        raise
    return Archive(place, final)


def members(file):
    """What an archive holds, by path, which is read to its end."""
    if file.endswith(b".zst"):
        reader = subprocess.Popen(["zstd", "-dcq", file], stdout=subprocess.PIPE)
    else:
        reader = subprocess.Popen(["gzip", "-dc", file], stdout=subprocess.PIPE)
    try:
        with tarfile.open(fileobj=reader.stdout, mode="r|", encoding="utf-8",
                          errors="surrogateescape") as archive:
            found = {b"/" + os.fsencode(one.name.rstrip("/")): member(archive, one)
                     for one in archive}
        reader.stdout.read()
    finally:
        reader.stdout.close()
        reader.wait()
    if reader.returncode != 0:
        raise Trouble("the archive that was just written cannot be read")
    return found


def member(archive, one):
    """What is compared of a member, as `content` has it."""
    if one.isreg():
        return digest(archive.extractfile(one))
    return os.fsencode(one.linkname) if one.issym() else one.isdir()


def content(full, status):
    """What is compared of what is on the machine: the digest of a file, where a link leads, that it is a
    folder; nothing where it cannot be read."""
    try:
        if stat.S_ISREG(status.st_mode):
            with open(os.open(full, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb") as file:
                return digest(file)
        return os.readlink(full) if stat.S_ISLNK(status.st_mode) else os.path.isdir(full)
    except OSError as error:
        print("%s stays: %s" % (shown(full), error))
        return None


def digest(file):
    """The size of a file and the digest of all of it."""
    size, found = 0, hashlib.blake2b(digest_size=20)
    while True:
        block = file.read(1 << 20)
        if not block:
            return size, found.digest()
        size += len(block)
        found.update(block)
