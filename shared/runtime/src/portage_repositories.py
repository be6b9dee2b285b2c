"""The ebuild repositories of a machine, and in what state each is.

A part of the programs that ask Portage's API: each goes to the machine as one text.
"""

import configparser
import os


def read_bytes(path):
    with open(path, "rb") as file:
        return file.read()


def first_line(path):
    """The first line of a file, or None."""
    try:
        text = read_bytes(path).decode("utf-8", "replace").strip()
    except OSError:
        return None
    return text.splitlines()[0].strip() if text else None


def git_folders(location):
    """Where a git checkout keeps its references: its own folder, and the one that it shares."""
    folder = os.path.join(location, ".git")
    if os.path.isfile(folder):
        pointer = first_line(folder) or ""
        folder = os.path.join(location, pointer.partition("gitdir:")[2].strip())
    common = first_line(os.path.join(folder, "commondir"))
    return [folder] if common is None else [folder, os.path.join(folder, common)]


def git_reference(folders):
    """(commit, None) where HEAD names one, or (None, the reference that it names)."""
    head = first_line(os.path.join(folders[0], "HEAD"))
    if head is None or not head.startswith("ref:"):
        return head, None
    return None, head[len("ref:"):].strip()


def git_revision(location):
    """The commit of a git checkout, without running git, which distrusts foreign owners."""
    folders = git_folders(location)
    commit, reference = git_reference(folders)
    if reference is None:
        return commit
    for place in folders:
        commit = first_line(os.path.join(place, reference))
        if commit is not None:
            return commit
        try:
            packed = read_bytes(os.path.join(place, "packed-refs")).decode("utf-8", "replace")
        except OSError:
            continue
        for line in packed.splitlines():
            commit, _, name = line.partition(" ")
            if name.strip() == reference:
                return commit
    return None


def revision(location):
    """What state an ebuild repository is in: a commit, or the time stamp of its mirror."""
    return (
        git_revision(location)
        or first_line(os.path.join(location, "metadata", "timestamp.commit"))
        or first_line(os.path.join(location, "metadata", "timestamp.chk"))
    )


def is_repository(location):
    """Whether a folder holds a repository; the mount point of one that is not mounted does not."""
    return any(os.path.isdir(os.path.join(location, name)) for name in ("profiles", "metadata"))


def configured_repositories(portage, settings):
    """Name to location of every section of repos.conf. Portage forgets those without a folder."""
    files = [os.path.join(portage.const.GLOBAL_CONFIG_PATH, "repos.conf")]
    own = os.path.join(settings["PORTAGE_CONFIGROOT"], portage.const.USER_CONFIG_PATH, "repos.conf")
    if os.path.isdir(own):
        for folder, folders, names in os.walk(own):
            folders.sort()
            files += [os.path.join(folder, name) for name in sorted(names)
                      if not name.startswith(".") and not name.endswith("~")]
    else:
        files.append(own)
    defaults = {name: settings.get(name, "") for name in ("EPREFIX", "PORTAGE_CONFIGROOT", "ROOT")}
    parser = configparser.ConfigParser(defaults=defaults, strict=False)
    parser.read(files, encoding="utf-8")
    return {name: parser.get(name, "location", fallback=None) for name in parser.sections()}


def repositories(portage, settings, problems):
    """Every ebuild repository that the configuration names, there or not."""
    found = {repository.name: repository.location for repository in settings.repositories}
    try:
        for name, location in configured_repositories(portage, settings).items():
            known = location is not None and location in found.values()
            if not known:
                found.setdefault(name, location)
    except (configparser.Error, OSError, UnicodeDecodeError) as error:
        problems.append("repos.conf: {}".format(error))
    return [
        {
            "name": name,
            "location": location,
            "revision": revision(location) if location else None,
            "exists": bool(location) and is_repository(location),
        }
        for name, location in sorted(found.items())
    ]
