# What of the new files of a machine is the run's and goes, and what stays. Nothing is read here.

GOES = None
# Folders of /var that are nobody's own. What was in another one before has an owner of its own kind,
# who makes files in it whenever he likes: a database, containers, mail.
COMMON = {b"/var", b"/var/cache", b"/var/db", b"/var/games", b"/var/lib", b"/var/opt",
          b"/var/spool", b"/var/state", b"/var/www"}
PENDING = re.compile(rb"^\._cfg[0-9]{4}_(.+)$", re.S)
KINDS = {stat.S_IFREG: "file", stat.S_IFLNK: "link", stat.S_IFDIR: "folder"}

PENDING_STAYS = "a configuration of an installed package, for dispatch-conf"
OTHER_KIND = "a socket, pipe or device"
IN_USE = "in use"
OTHER_OWNER = "of a user or group of which the run removed no package"
OTHER_TIME = "made while the run changed nothing on the machine, or with a package that stays"
CHANGED_SINCE = "changed since then"
UNARCHIVED = "could not be read, so the archive has no whole copy of it"
LINKED = "a link to what an installed package has"
GONE = "gone"
# Not worth a word: there may be many of them at any time.
SILENT = "in a folder of a package, or in one of /var that was there before"


class Entry:
    """What is new: its path, what lstat says, when it was born (0: nobody knows), the highest of the new
    folders that it lies in, or itself, and where it leads to if it is a link."""

    def __init__(self, path, status, born, top, target=None):
        self.path, self.status, self.born, self.top = path, status, born, top
        self.target = target

    def new_folders(self):
        """The new folders that it lies in."""
        path = os.path.dirname(self.path)
        while len(path) >= len(self.top):
            yield path
            path = os.path.dirname(path)

    def kind(self):
        return KINDS.get(stat.S_IFMT(self.status.st_mode))


class Known:
    """What the judgement goes by: the paths of packages that the run brought, users and groups that
    came and whose packages the run removed, those for whom emerge works, the times of the run, what
    processes have open, and what installed packages have."""

    def __init__(self, brought, users, groups, times, in_use, owned, workers=(0, 250)):
        self.brought, self.users, self.groups = brought, users, groups
        self.times, self.in_use, self.owned, self.workers = times, in_use, owned, workers

    def is_brought(self, entry):
        """Whether a package had it that the run brought."""
        return entry.path in self.brought or pending_for(entry.path) in self.brought

    def is_near_brought(self, entry):
        """Whether it lies in a new folder of such a package, or is of a user who came with one."""
        return (any(folder in self.brought for folder in entry.new_folders())
                or entry.status.st_uid in self.users or entry.status.st_gid in self.groups)

    def is_of_installed(self, entry):
        """Whether it lies in a new folder of a package that is installed: somebody else installed that
        meanwhile, or needs it."""
        return any(folder in self.owned for folder in entry.new_folders())


def pending_for(path):
    """The file that this would take the place of, where it is a `._cfg0000_…`."""
    folder, name = os.path.split(path)
    found = PENDING.match(name)
    return os.path.join(folder, found.group(1)) if found else None


def judge(entry, known):
    """GOES, or why it stays."""
    if entry.kind() is None:
        return OTHER_KIND
    if pending_for(entry.path) in known.owned:
        return PENDING_STAYS
    if (entry.status.st_dev, entry.status.st_ino) in known.in_use or entry.path in known.in_use:
        return IN_USE
    if known.is_brought(entry):
        return GOES
    if known.is_of_installed(entry):
        return SILENT
    if entry.target in known.owned:
        return LINKED
    if not known.is_near_brought(entry):
        if entry.top.startswith(b"/var/") and os.path.dirname(entry.top) not in COMMON:
            return SILENT
        if entry.status.st_uid not in known.workers:
            return OTHER_OWNER
    changed = entry.status.st_ctime_ns / SECOND
    if entry.born and not known.times.hold(entry.born):
        return OTHER_TIME
    if not known.times.hold(changed):
        return CHANGED_SINCE if entry.born else OTHER_TIME
    return GOES


def difference(before, now):
    """The names that are new in a folder, and those whose value says something else or that are gone,
    with what."""
    if before == now:
        return [], []
    then, today = entries_of(before), entries_of(now)
    new = [name for name in today if name not in then]
    changed = [(name, [GONE]) for name in then if name not in today]
    for name, value in today.items():
        words = name in then and then[name] != value and change(then[name], value)
        if words:
            changed.append((name, words))
    return new, changed


def change(before, now):
    """In which way an entry is another one than it was, in words; nothing where it only seems so."""
    old, new = before.split(b" ", 7), now.split(b" ", 7)
    modes = int(old[0], 8), int(new[0], 8)
    if stat.S_IFMT(modes[0]) != stat.S_IFMT(modes[1]):
        return ["kind"]
    words = []
    if UNKNOWN not in (old[7], new[7]) and old[7] != new[7]:
        words.append("content")
    if old[1:3] != new[1:3]:
        words.append("owner")
    if modes[0] != modes[1]:
        words.append("mode")
    return words
