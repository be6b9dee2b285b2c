"""Looks through the sources that a machine's Portage has fetched, and deletes what nothing uses.

The first argument is the request, JSON: {"marker": TEXT, "days": N, "delete": BOOL, "packages":
[CATEGORY/PACKAGE, ...]}. Prints a JSON document between two lines that hold the marker:
{"place": TEXT, "files": N, "bytes": N, "unused": [{"name", "bytes", "used"}, ...], "why": TEXT or
null, "deleted": {"files": N, "bytes": N}}; "why" says why nothing is deleted at all.

Only what Portage has fetched counts: regular files of its group, in the folder itself. Links lead
to PORTAGE_RO_DISTDIRS, folders hold checkouts of version control, and names that begin with a dot
are locks. When a file was used last says the later one of its atime and its ctime: it is read when
it is unpacked, which a mount with noatime does not tell, and its ctime is when it was fetched. Its
mtime is that of the server, and may be years before.

Kept whatever their age are sources that an ebuild names of a package that is installed here or
among "packages", those that cannot be fetched again by a program (RESTRICT="fetch"), and those
that a build has in its hands. What is being fetched is locked, as Portage does it. Nothing goes while
a repository is not there, since nobody knows then what its ebuilds name.
"""

import glob
import json
import os
import stat
import sys
import time

DAY = 24 * 3600
PARTIAL = ".__download__"
FAILED = "._checksum_failure_."


def source_of(name):
    """The name that an ebuild knows a file by."""
    return name.removesuffix(PARTIAL).split(FAILED)[0]


def fetched(place, group):
    """The files that Portage fetched: name, size, and when it was used last."""
    with os.scandir(place) as entries:
        for entry in entries:
            try:
                status = entry.stat(follow_symlinks=False)
            except FileNotFoundError:
                continue
            is_own = stat.S_ISREG(status.st_mode) and status.st_gid == group
            if is_own and not entry.name.startswith("."):
                used = max(status.st_atime, status.st_ctime)
                yield entry.name, status.st_size, int(used)


def dist_names(manifest):
    """What a Manifest names (GLEP 74); nothing where there is none."""
    try:
        with open(manifest, encoding="utf-8", errors="replace") as lines:
            fields = (line.split() for line in lines if line.startswith("DIST "))
            return {field[1] for field in fields if len(field) > 1}
    except FileNotFoundError:
        return None


def names_of(portdb, tree, package):
    """The sources of all ebuilds of a package in one repository, as far as they can be told."""
    names = dist_names(os.path.join(tree, package, "Manifest"))
    if names is not None:
        return names
    # A repository may have no Manifests.
    names = set()
    for cpv in portdb.cp_list(package, mytree=[tree]):
        names.update(portdb.getFetchMap(cpv, mytree=tree))
    return names


def is_restricted(portdb, tree, package):
    """Whether a person had to bring sources of a package here."""
    for cpv in portdb.cp_list(package, mytree=[tree]):
        try:
            restrict = portdb.aux_get(cpv, ["RESTRICT"], mytree=tree)[0]
        except KeyError:
            # Nobody can tell of a broken ebuild.
            return True
        if "fetch" in restrict.split():
            return True
    return False


def restricted(portdb, names):
    """Those of these names that nobody can fetch again without a person."""
    found = set()
    for tree in portdb.porttrees:
        for package in portdb.cp_all(trees=[tree]):
            named = names_of(portdb, tree, package) & names
            if named - found and is_restricted(portdb, tree, package):
                found |= named
    return found


def absent(portage):
    """Which repository is not there, in words: it is not mounted, say, or just being replaced."""
    from portage.const import USER_CONFIG_PATH
    from portage.repository.config import RepoConfigLoader
    from portage.versions import _unknown_repo

    settings = portage.settings
    folders = settings.global_config_path, settings["PORTAGE_CONFIGROOT"] + USER_CONFIG_PATH
    # As it is configured: Portage leaves out what is not there, but for what it is about to sync.
    portage._sync_mode = True
    try:
        files = [os.path.join(folder, "repos.conf") for folder in folders]
        configured = list(RepoConfigLoader(files, settings))
    finally:
        portage._sync_mode = False
    there = set()
    for repository in configured:
        if not os.path.isfile(os.path.join(repository.location, "profiles", "repo_name")):
            return "the repository %s is not in %s" % (repository.name, repository.location)
        there |= {repository.name, *(repository.aliases or ())}
    installed = portage.db[settings["EROOT"]]["vartree"].dbapi
    for cpv in installed.cpv_all():
        name = installed.aux_get(cpv, ["repository"])[0]
        if name not in there | {"", _unknown_repo}:
            return "%s is installed from the repository %s, which is not configured" % (cpv, name)
    return None


def in_hand(settings):
    """What a build that goes on has links to."""
    builds = os.path.join(glob.escape(settings["PORTAGE_TMPDIR"]), "portage", "*", "*", "distdir")
    return {os.path.basename(path) for path in glob.iglob(os.path.join(builds, "*"))}


def needed(portage, packages, old):
    """The names that stay, of these that are old."""
    trees = portage.db[portage.settings["EROOT"]]
    portdb = trees["porttree"].dbapi
    names = in_hand(portage.settings)
    for package in set(packages) | set(trees["vartree"].dbapi.cp_all()):
        for tree in portdb.porttrees:
            if os.path.isdir(os.path.join(tree, package)):
                names |= names_of(portdb, tree, package)
    return names | restricted(portdb, old - names)


def delete(portage, place, name, before):
    """Deletes a file unless it is being fetched or was used since; says how large it was."""
    from portage.exception import TryAgain
    from portage.locks import lockfile, unlockfile

    path = os.path.join(place, name)
    try:
        lock = lockfile(
            os.path.join(place, source_of(name)), wantnewlockfile=1, flags=os.O_NONBLOCK
        )
    except TryAgain:
        return None
    try:
        status = os.lstat(path)
        if max(status.st_atime, status.st_ctime) >= before:
            return None
        os.unlink(path)
        return status.st_size
    except FileNotFoundError:
        return None
    finally:
        unlockfile(lock)


def sweep(request):
    import portage
    import portage.data

    place = portage.settings["DISTDIR"]
    document = {
        "place": place,
        "files": 0,
        "bytes": 0,
        "unused": [],
        "why": None,
        "deleted": {"files": 0, "bytes": 0},
    }
    if not os.path.isdir(place):
        return document
    group = int(portage.data.portage_gid)
    before = time.time() - request["days"] * DAY
    old = []
    for name, size, used in fetched(place, group):
        document["files"] += 1
        document["bytes"] += size
        if used < before:
            old.append({"name": name, "bytes": size, "used": used})
    if group == 0:
        document["why"] = "the machine has no group of Portage, which would tell what it fetched"
    elif old:
        document["why"] = absent(portage)
    if old and not document["why"]:
        kept = needed(portage, request["packages"], {source_of(file["name"]) for file in old})
        unused = [file for file in old if source_of(file["name"]) not in kept]
        document["unused"] = sorted(unused, key=lambda file: (file["used"], file["name"]))
    if document["unused"] and request["delete"]:
        if not os.access(place, os.W_OK):
            document["why"] = "the folder cannot be written"
            return document
        for file in document["unused"]:
            size = delete(portage, place, file["name"], before)
            if size is not None:
                document["deleted"]["files"] += 1
                document["deleted"]["bytes"] += size
    return document


def main():
    request = json.loads(sys.argv[1])
    # What Portage has to say is no part of the document.
    document_to = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    text = json.dumps(sweep(request))
    document_to.write("%s\n%s\n%s\n" % (request["marker"], text, request["marker"]))
    document_to.flush()


main()
