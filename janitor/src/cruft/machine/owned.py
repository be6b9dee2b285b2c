# Whose the files of a machine are: what its installed packages own, and which of those a run brought.
import re

PACKAGES = b"/var/db/pkg"
PRESERVED = b"/var/lib/portage/preserved_libs_registry"
ACCOUNT = re.compile(rb"^acct-(user|group)/(.+)-[0-9][^-]*(?:-r[0-9]+)?$")
# What is noted in the folder of a run.
BROUGHT, BROUGHT_PACKAGES = b"brought", b"brought-packages"


def packages(place):
    """The installed packages, as category/name-version, with what is known of their builds in the
    words of the list that was made before the builds: `NAME BUILD_ID BUILD_TIME`."""
    base = place.at(PACKAGES)
    for category in sorted(listed(base)):
        for name in sorted(listed(os.path.join(base, category))):
            folder = os.path.join(base, category, name)
            if name.startswith(b"-MERGING-") or not os.path.isdir(folder):
                continue
            words = [category + b"/" + name]
            words += [first_line(os.path.join(folder, key)) for key in (b"BUILD_ID", b"BUILD_TIME")]
            yield words[0], b" ".join(words)


def listed(folder):
    try:
        return os.listdir(folder)
    except (FileNotFoundError, NotADirectoryError):
        return []


def first_line(path):
    try:
        with open(path, "rb") as file:
            return file.readline().strip() or b"-"
    except FileNotFoundError:
        return b"-"


def contents(place, package):
    """The paths of a package (CONTENTS, portage(5)), each in its folder without links."""
    try:
        with open(place.at(PACKAGES) + b"/" + package + b"/CONTENTS", "rb") as file:
            lines = file.read().split(b"\n")
    except FileNotFoundError:
        return
    for line in lines:
        kind, _, rest = line.partition(b" ")
        if kind == b"obj":
            rest = rest.rsplit(b" ", 2)[0]
        elif kind == b"sym":
            rest = rest.split(b" -> ", 1)[0]
        if rest.startswith(b"/"):
            yield rest


def owners(place, wanted):
    """Those of the wanted paths that an installed package owns, each with its package. A library that
    Portage has kept for those who need it belongs to them."""
    names = {os.path.basename(path) for path in wanted}
    found = {}
    for package, _ in packages(place):
        for path in contents(place, package):
            # To resolve the folders of all files of a machine would take long.
            if os.path.basename(path) in names:
                path = place.in_real_folder(path)
                if path in wanted:
                    found[path] = package
    for path in preserved(place):
        path = place.in_real_folder(path)
        if path in wanted:
            found.setdefault(path, b"preserved libraries")
    return found


def preserved(place):
    try:
        with open(place.at(PRESERVED), "rb") as file:
            registry = json.loads(file.read() or b"{}")
    except FileNotFoundError:
        return []
    return [os.fsencode(path) for entry in registry.values() for path in entry[2]]


def changed_packages(place, before):
    """The installed packages that are not, in this very build, in the list from before."""
    with open(before, "rb") as file:
        known = set(file.read().splitlines())
    return {name for name, line in packages(place) if line not in known}


def note_brought(place, names):
    """Keeps the packages that are about to be removed, and their paths: what is left of them is the
    run's. Those of an attempt before stay."""
    names = {os.fsencode(name) for name in names}
    paths = {place.in_real_folder(path) for name in names for path in contents(place, name)}
    for kind, more in ((BROUGHT, paths), (BROUGHT_PACKAGES, names)):
        all_of_them = of_file(os.path.join(place.run, kind)) | more
        write_whole(os.path.join(place.run, kind), [b"\0".join(sorted(all_of_them))])


def brought(place, kind):
    """The paths or the packages that the runs brought, of all that were to be removed."""
    return {one for run in place.runs for one in of_file(os.path.join(run, kind))}


def of_file(path):
    try:
        with open(path, "rb") as file:
            return {one for one in file.read().split(b"\0") if one}
    except FileNotFoundError:
        return set()


def accounts_of(names):
    """The users and groups that these packages make (GLEP 81)."""
    found = {"users": set(), "groups": set()}
    for name in names:
        account = ACCOUNT.match(name)
        if account:
            found[account.group(1).decode() + "s"].add(os.fsdecode(account.group(2)))
    return found
