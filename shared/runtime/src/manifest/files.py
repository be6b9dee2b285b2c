# The files of a machine: the walk over them, and the manifest that keeps what was found.
#
# A manifest is one zlib stream of blocks with two NUL bytes between them. The first is a JSON header;
# each other is a folder with what is in it, one NUL byte between the parts:
#     FOLDER NAME VALUE NAME VALUE ...
# VALUE is `MODE UID GID SIZE CTIME INODE DEVICE WHAT`: octal, then numbers (ctime in nanoseconds); WHAT
# is the digest of a file, the target of a link, and `-` of all else. No part can be empty or hold a NUL.
#
# Paths are bytes, as they are below the root that is looked at: any byte but NUL can be in a name.
import grp
import hashlib
import json
import os
import pwd
import stat
import sys
import time
import zlib

FORMAT = 1
# A larger file is told by its size and the time when it was written: images of machines and
# databases would be read for minutes.
LARGEST = 256 * 1024 * 1024
SECOND = 1000000000
UNKNOWN = b"?"


class Place:
    """The machine that is looked at: a root, and what of it is looked at."""

    def __init__(self, wanted):
        self.root = os.fsencode(os.path.realpath(wanted.get("root", "/"))).rstrip(b"/")
        self.state = self.at(os.fsencode(wanted["state"]))
        self.run = self.of_run(wanted["run"])
        # Those whose files are looked for, the oldest first.
        self.runs = [self.of_run(run) for run in wanted.get("runs", [wanted["run"]])]
        self.left_out = {self.real(os.fsencode(path)) for path in wanted.get("left_out", [])}
        self.parents = {}
        real = sorted({self.real(os.fsencode(path)) for path in wanted.get("folders", [])})
        # What lies in another one is looked at once.
        self.folders = [one for one in real
                        if not any(one.startswith(other + b"/") for other in real)
                        and not any(is_in(one, other) for other in self.left_out)]
        # A folder that is named may be mounted, and nothing is looked at that is mounted in it.
        self.left_out |= mounted(self.root)

    def of_run(self, run):
        """Where the machine keeps what belongs to a run."""
        return os.path.join(self.state, b"runs", os.fsencode(run))

    def at(self, path):
        return self.root + path

    def real(self, path):
        """The path without links in it, below the root."""
        found = os.path.realpath(self.at(path.rstrip(b"/") or b"/"))
        return found[len(self.root):] if found.startswith(self.root + b"/") else path

    def in_real_folder(self, path):
        """The path with its folder without links."""
        folder, name = os.path.split(path)
        if folder not in self.parents:
            self.parents[folder] = self.real(folder)
        return self.parents[folder].rstrip(b"/") + b"/" + name


def is_in(path, folder):
    """Whether it is this folder, or lies in it."""
    return path == folder or path.startswith(folder + b"/")


def mounted(root):
    """Where something is mounted below the root (proc_pid_mountinfo(5))."""
    points = set()
    try:
        with open("/proc/self/mountinfo", "rb") as file:
            for line in file:
                escaped = line.split(b" ")[4]
                point = escaped.decode("unicode_escape").encode("latin-1")
                if point.startswith(root + b"/"):
                    points.add(point[len(root):])
    except FileNotFoundError:
        pass
    return points


def digest_of(path, status):
    if status.st_size > LARGEST:
        return b"written:%d" % status.st_mtime_ns
    # A pipe that has taken the file's place must not hold this up.
    handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with open(handle, "rb", buffering=0) as file:
        digest = hashlib.blake2b(digest_size=20)
        while True:
            block = file.read(1 << 20)
            if not block:
                return digest.hexdigest().encode()
            digest.update(block)


class Walk:
    """A pass over the folders. `former` spares reading what has not changed since."""

    def __init__(self, place, former=None):
        self.place, self.former = place, former
        # What was changed in the moment in which it was read may have changed again since.
        self.settled = former.header["begun"] - 2 * SECOND if former else 0
        self.links = {}
        self.found = self.read = 0

    def blocks(self):
        """Each folder with its block, in which something is."""
        at = self.place.at
        stack = []
        for folder in self.place.folders:
            try:
                stack.append((folder, os.lstat(at(folder)).st_dev))
            except (FileNotFoundError, NotADirectoryError):
                continue
        while stack:
            folder, device = stack.pop()
            parts, below = self.folder(folder, device)
            stack.extend(below)
            if len(parts) > 1:
                self.found += len(parts) // 2
                yield folder, b"\0".join(parts)

    def folder(self, folder, device):
        known = self.former.entries(folder) if self.former else {}
        left_out, prefix, settled = self.place.left_out, folder + b"/", self.settled
        parts, below = [folder], []
        try:
            with os.scandir(self.place.at(folder)) as found:
                entries = list(found)
        except (FileNotFoundError, NotADirectoryError):
            return parts, below
        if any(entry.name == b"profiles" for entry in entries):
            if is_repository(self.place.at(folder)):
                return parts, below
        for entry in entries:
            name = entry.name
            path = prefix + name
            if path in left_out:
                continue
            try:
                status = entry.stat(follow_symlinks=False)
                mode = status.st_mode
                head = b"%o %d %d %d %d %d %d " % (
                    mode, status.st_uid, status.st_gid, status.st_size,
                    status.st_ctime_ns, status.st_ino, status.st_dev)
                value = known.get(name)
                if (value is None or not value.startswith(head)
                        or status.st_ctime_ns >= settled):
                    value = head + self.what(path, status)
            except (FileNotFoundError, NotADirectoryError):
                # It went while this looked.
                continue
            # Another file system, also where nothing is mounted: a subvolume.
            if stat.S_ISDIR(mode) and status.st_dev == device:
                below.append((path, device))
            parts += (name, value)
        return parts, below

    def what(self, path, status):
        full = self.place.at(path)
        if stat.S_ISLNK(status.st_mode):
            return os.readlink(full)
        if not stat.S_ISREG(status.st_mode):
            return b"-"
        number = (status.st_dev, status.st_ino) if status.st_nlink > 1 else None
        if number in self.links:
            return self.links[number]
        self.read += 1
        try:
            digest = digest_of(full, status)
        except FileNotFoundError:
            raise
        except OSError:
            digest = UNKNOWN
        if number:
            self.links[number] = digest
        return digest


def is_repository(folder):
    """Whether it is an ebuild repository (PMS 4.4)."""
    return os.path.exists(os.path.join(folder, b"profiles/repo_name"))


class Manifest:
    """What was found at one time."""

    def __init__(self, text):
        header, *blocks = text.split(b"\0\0")
        self.header = json.loads(header)
        if self.header.get("format") != FORMAT:
            raise ValueError("it was written by another version")
        self.blocks = {block.split(b"\0", 1)[0]: block for block in blocks if block}

    @classmethod
    def load(cls, path):
        with open(path, "rb") as file:
            return cls(zlib.decompress(file.read()))

    def entries(self, folder):
        return entries_of(self.blocks.get(folder))


def entries_of(block):
    """The names of a block with their values."""
    if not block:
        return {}
    parts = block.split(b"\0")
    return dict(zip(parts[1::2], parts[2::2]))


def accounts():
    """The users and groups that the machine knows now."""
    users = {user.pw_name: [user.pw_uid, user.pw_gid, user.pw_dir, user.pw_shell]
             for user in pwd.getpwall()}
    groups = {group.gr_name: [group.gr_gid, sorted(group.gr_mem)] for group in grp.getgrall()}
    return {"users": users, "groups": groups}


def write_whole(path, chunks):
    """Writes a file that is there as a whole or not at all, also when the power goes."""
    new = path + b".part"
    try:
        with open(new, "wb") as file:
            os.chmod(new, 0o600)
            for chunk in chunks:
                file.write(chunk)
            file.flush()
            os.fsync(file.fileno())
        os.rename(new, path)
    except OSError:
        try:
            os.unlink(new)
        except FileNotFoundError:
            pass
        raise
    sync_folder(os.path.dirname(path))


def sync_folder(path):
    handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
