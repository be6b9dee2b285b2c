# What is installed of some packages, down to the last file. Other programs stand below this.
import hashlib
import json
import os
import stat
import sys

VDB = "/var/db/pkg"
TEXT = {"encoding": "utf-8", "errors": "surrogateescape"}


def fail(code, words):
    sys.stderr.write("%s\n" % words)
    sys.exit(code)


def field(cpv, name):
    """One file of the package's record, as one line of words."""
    try:
        with open(os.path.join(VDB, cpv, name), **TEXT) as file:
            return " ".join(file.read().split())
    except FileNotFoundError:
        return None


def contents(cpv):
    """The lines of CONTENTS by the paths that they name. A path may hold spaces."""
    lines = {}
    try:
        with open(os.path.join(VDB, cpv, "CONTENTS"), **TEXT) as file:
            for line in file.read().splitlines():
                kind, rest = line.split(" ", 1)
                if kind == "obj":
                    rest = rest.rsplit(" ", 2)[0]
                elif kind == "sym":
                    rest = rest.split(" -> ", 1)[0]
                lines[rest] = line
    except FileNotFoundError:
        pass
    return lines


def found(path):
    """What is there: its kind, mode, owners, and what is in it."""
    try:
        status = os.lstat(path)
    except OSError:
        return None
    kind = stat.S_IFMT(status.st_mode)
    content = ""
    if kind == stat.S_IFLNK:
        content = os.readlink(path)
    elif kind == stat.S_IFREG:
        digest = hashlib.md5()
        with open(path, "rb") as file:
            for part in iter(lambda: file.read(1 << 20), b""):
                digest.update(part)
        content = digest.hexdigest()
    return [kind, stat.S_IMODE(status.st_mode), status.st_uid, status.st_gid, content]


def state_of(cpv):
    names = ("SLOT", "repository", "USE", "BUILD_ID", "BUILD_TIME", "RDEPEND")
    state = {name: field(cpv, name) for name in names}
    lines = contents(cpv)
    state["contents"] = lines
    state["paths"] = {path: found(path) for path in lines}
    return state


def digest_in(line):
    """The digest of a file that a line of CONTENTS names; nothing of anything else."""
    return line.rsplit(" ", 2)[1] if line and line.startswith("obj ") else None


def build_of(cpv):
    """Which build of a package is installed: its number and its time, as they are written."""
    return [field(cpv, "BUILD_ID") or None, field(cpv, "BUILD_TIME") or None]


def installed():
    """Every installed package with its build."""
    names = (
        category + "/" + name
        for category in os.listdir(VDB)
        if os.path.isdir(os.path.join(VDB, category))
        for name in os.listdir(os.path.join(VDB, category))
        if not name.startswith("-MERGING-") and os.path.isdir(os.path.join(VDB, category, name))
    )
    return {cpv: build_of(cpv) for cpv in names}


def protection():
    """What Portage protects, by its settings on this machine; its isprotected() tells it of a path."""
    import portage
    from portage.util import ConfigProtect

    words = lambda name: (portage.settings.get(name) or "").split()
    return ConfigProtect(portage.settings["ROOT"], words("CONFIG_PROTECT"), words("CONFIG_PROTECT_MASK"))


def pending():
    """Configuration that waits for an administrator."""
    import portage

    waiting = []
    for folder in (portage.settings.get("CONFIG_PROTECT") or "").split():
        for place, _, names in os.walk(folder):
            waiting += [os.path.join(place, name) for name in names if name.startswith("._cfg")]
    return sorted(waiting)


def document_at(path):
    try:
        with open(path, **TEXT) as file:
            return json.load(file)
    except FileNotFoundError:
        return None


def write_document(path, document):
    """Whole or not at all."""
    with open(path + ".new", "w", **TEXT) as file:
        json.dump(document, file)
        file.flush()
        os.fsync(file.fileno())
    os.rename(path + ".new", path)


def runs_from(folder):
    """The folders of this run and of the runs after it, in their order: their names begin with the time."""
    parent, name = os.path.split(folder)
    return [os.path.join(parent, other) for other in sorted(os.listdir(parent)) if other >= name]


def files_of(folder, name):
    """Where the protected files are kept that belong to the document of this name."""
    return os.path.join(folder, name + ".files")


def before(folder):
    """What was installed before this run, of all that it and the runs after it have replaced."""
    known = document_at(os.path.join(folder, "before.json"))
    if known is None:
        fail(20, "nothing was kept of this run")
    packages, ordered = dict(known["packages"]), list(known["ordered"])
    for other in runs_from(folder)[1:]:
        later = document_at(os.path.join(other, "before.json"))
        if later is None:
            continue
        ordered += later["ordered"]
        for cpv, state in later["packages"].items():
            if known["installed"].get(cpv) == [state["BUILD_ID"], state["BUILD_TIME"]]:
                packages.setdefault(cpv, state)
    return {
        "packages": packages,
        "brought": sorted(set(ordered) - set(known["installed"])),
        # What came twice came last.
        "ordered": list(reversed(list(dict.fromkeys(reversed(ordered))))),
        "pending": known["pending"],
    }
