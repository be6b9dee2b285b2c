"""What a machine's answer depends on, and how that is looked at (look.sh).

The first half of portage_api.py, whose names it uses: the two go to the machine as one program.
"""

import json
import os
import re
import subprocess

# make.conf(5): another file, quoted or not. Where the name is made of variables, see `sourced`.
SOURCE = re.compile(r"^[ \t]*source[ \t]+([^#\n]+)", re.MULTILINE)
CLASS = re.compile(r"^[ \t]*class[ \t]*[=:][ \t]*(\S+)", re.MULTILINE)

# A repository of more packages is known by its revision where it has one: to look at each of its
# files would take longer than all the rest.
MOST_PACKAGES_TO_WALK = 500
NO_CATEGORIES = {"eclass", "licenses", "metadata", "profiles", "scripts"}
# The classes of package sets that depend on nothing but installed packages, repositories and
# configuration (portage/_sets). Others may ask the clock or any program, or read any file.
PLAIN_SETS = {
    "AffectedSet", "CategorySet", "ChangedDepsSet", "DowngradeSet", "DummyPackageSet",
    "EverythingSet", "LibraryFileConsumerSet", "MissingLibraryConsumerSet", "NewAffectedSet",
    "NewGlsaSet", "OwnerSet", "PackagesSystemSet", "PreservedLibraryConsumerSet",
    "ProfilePackageSet", "RebuiltBinaries", "SubslotChangedSet", "UnavailableBinaries",
    "UnavailableSet", "VariableSet", "WorldSelectedPackagesSet", "WorldSelectedSet",
    "WorldSelectedSetsSet",
}
FINGERPRINT = re.compile(r"[0-9a-f]{64}")


def git_files(location):
    """Every file that `git_revision` reads, there or not."""
    folders = git_folders(location)
    reference = git_reference(folders)[1]
    names = ["HEAD", "commondir", "packed-refs"] + ([reference] if reference else [])
    return [os.path.join(folder, name) for folder in folders for name in names]


def has_more_packages(location, most):
    """Whether a repository has more packages than that."""
    count = 0
    for name in os.listdir(location):
        folder = os.path.join(location, name)
        if name not in NO_CATEGORIES and not name.startswith(".") and os.path.isdir(folder):
            count += len(os.listdir(folder))
            if count > most:
                return True
    return False


def watched_of_repository(location):
    """What tells that a repository changed: its revision, or all files of a small one and of one
    that is edited by hand, as far as that can be told."""
    if not is_repository(location):
        return ["flat:" + location]
    is_generated = os.path.isdir(os.path.join(location, "metadata", "md5-cache"))
    if not (is_generated and revision(location)
            and has_more_packages(location, MOST_PACKAGES_TO_WALK)):
        return ["tree:" + location]
    # Its time stamps lie in metadata. A mount point without its mount holds neither. An ebuild
    # that comes, goes or changes with a sync does so in md5-cache, too, which has a folder of each
    # category; to look at the folder of every package costs five times as much as all else.
    metadata = os.path.join(location, "metadata")
    words = ["flat:" + location, "flat:" + metadata, "packages:" + metadata]
    return words + ["tree:" + path for path in git_files(location)]


def files_of(path):
    """The file, or all files below the folder."""
    if not os.path.isdir(path):
        return [path] if os.path.isfile(path) else []
    return [os.path.join(folder, name) for folder, _, names in os.walk(path) for name in names]


def read_text(path):
    return read_bytes(path).decode("utf-8", "replace")


def sourced(settings, paths):
    """The files that make.conf takes in with `source`, and those that these take in."""
    found = []
    open_files = [file for path in paths for file in files_of(path)]
    while open_files:
        file = open_files.pop()
        for word in SOURCE.findall(read_text(file)):
            word = word.strip().strip("\"'")
            name = re.sub(r"\$\{?(\w+)\}?", lambda match: settings.get(match.group(1), ""), word)
            path = os.path.join(os.path.dirname(file), name)
            if path not in found:
                found.append(path)
                open_files += files_of(path)
    return found


def watched(portage, settings, known):
    """What an answer depends on, as words of look.sh; `known` are the repositories.

    Where that cannot be said nobody can tell whether the answer still holds: Refused.
    """
    root, configuration = settings["EROOT"], settings["PORTAGE_CONFIGROOT"]
    own = os.path.join(configuration, portage.const.USER_CONFIG_PATH)
    locations = [one["location"] for one in known if one["location"]]
    # Where they were before /etc/portage, and still may be.
    make, profile = (os.path.join(configuration, "etc", name)
                     for name in ("make.conf", "make.profile"))
    # The other nodes lie in repositories, or below /etc/portage.
    nodes = [node for node in settings.profiles if not any(
        node.startswith(place.rstrip(os.sep) + os.sep) for place in locations + [own])]
    sets = [os.path.join(place, "sets.conf") for place in locations + [own]]
    for file in (file for path in sets for file in files_of(path)):
        for name in CLASS.findall(read_text(file)):
            if name.rpartition(".")[2] not in PLAIN_SETS:
                raise Refused("{} has a set of the class {}".format(file, name))
    # Portage itself; its folder of modules is replaced with it.
    trees = [own, portage.const.GLOBAL_CONFIG_PATH, portage.__file__]
    trees += [os.path.join(root, "etc", "profile.env")]
    trees += [make, profile] + nodes
    trees += kernel_files(settings)
    trees += sourced(settings, [make, os.path.join(own, "make.conf")])
    words = ["tree:" + os.path.abspath(path) for path in trees]
    words += ["links:" + own, "links:" + profile]
    words.append("packages:" + os.path.join(root, portage.const.VDB_PATH))
    words.append("flat:" + os.path.join(root, portage.const.PRIVATE_PATH))
    words.append("flat:" + os.path.join(root, portage.const.NEWS_LIB_PATH, "news"))
    words += [word for location in locations for word in watched_of_repository(location)]
    for word in words:
        if not (word.isprintable() and word.partition(":")[2].startswith(os.sep)):
            raise Refused("{!r} is no path that can be watched".format(word))
    return sorted(set(words))


def of_a_child(work):
    """What `work` gives in a process of its own, so that nothing of what it read stays here; None
    where it fails: what it met is told when it is met again."""
    read_end, write_end = os.pipe()
    child = os.fork()
    if child == 0:
        status = 1
        try:
            with os.fdopen(write_end, "w", encoding="utf-8") as file:
                json.dump(work(), file)
            status = 0
        except Exception:
            pass
        finally:
            os._exit(status)
    os.close(write_end)
    with os.fdopen(read_end, encoding="utf-8") as file:
        text = file.read()
    return json.loads(text) if os.waitpid(child, 0)[1] == 0 else None


def watched_now():
    import portage

    settings = portage.settings
    return watched(portage, settings, repositories(portage, settings, []))


def look_first(argv):
    """(what to watch, its fingerprint), before anything is read that the answer is made of: what
    changes from now on differs from it. None where that cannot be told."""
    words = of_a_child(watched_now)
    if words is None:
        return None
    done = subprocess.run(argv + words + ["--"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          check=False)
    fingerprint = done.stdout.decode("ascii", "replace").strip()
    return (words, fingerprint) if FINGERPRINT.fullmatch(fingerprint) else None
