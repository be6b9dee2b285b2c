# Puts archived files back, all of them or none.
#
# Before anything changes a journal in the archive's folder says what will be made and what is set aside.
# Whoever finds one takes back what was begun.
import errno

JOURNAL = b"restoring.json"
ASIDE = b".gentoo-updater-aside-%d"


class Restoration:
    """The files of a run that are to come back: each with the newest archive that has it."""

    def __init__(self, place, archives, paths):
        self.place, self.archives = place, archives
        self.source = {}
        for one in archives:
            for entry in one.gone():
                self.source[os.fsencode(entry["path"])] = (one, entry)
        self.unknown = []
        self.chosen = set(self.source) if paths is None else self.select(paths)

    def select(self, paths):
        """What is named and what lies below it, with the folders above it that went with it."""
        chosen = set()
        for wanted in paths:
            wanted = wanted.rstrip("/") or "/"
            raw = os.fsencode(wanted)
            found = {path for path in self.source
                     if wanted == shown(path) or path == raw
                     or path.startswith(raw + b"/") or shown(path).startswith(wanted + "/")}
            if not found:
                self.unknown.append(wanted)
            chosen |= found
        for path in list(chosen):
            folder = os.path.dirname(path)
            while len(folder) > 1:
                if folder in self.source and not os.path.lexists(self.place.at(folder)):
                    chosen.add(folder)
                folder = os.path.dirname(folder)
        return chosen

    def is_folder(self, path):
        return self.source[path][1]["identity"][0] == stat.S_IFDIR

    def there(self):
        """What is there already, of another kind than a folder in a folder's place."""
        return sorted(path for path in self.chosen
                      if os.path.lexists(self.place.at(path))
                      and not (self.is_folder(path) and os.path.isdir(self.place.at(path))))

    def blocked(self):
        """What cannot come back even by force: a folder is in its place, or no folder above it."""
        wrong = []
        for path in sorted(self.chosen):
            full = self.place.at(path)
            if not self.is_folder(path) and os.path.isdir(full) and not os.path.islink(full):
                wrong.append(path)
            folder = os.path.dirname(path)
            while len(folder) > 1 and not os.path.lexists(self.place.at(folder)):
                folder = os.path.dirname(folder)
            # A link in the place of a folder would lead elsewhere: it may be anybody's.
            if (len(folder) > 1 and folder not in self.chosen
                    and (self.place.real(folder) != folder
                         or not os.path.isdir(self.place.at(folder)))):
                wrong.append(path)
        return wrong

    def carry_out(self):
        """Puts all of it back. What is in the way is set aside, and deleted in the end."""
        there = self.there()
        made = sorted(path for path in self.chosen
                      if path in there or not os.path.lexists(self.place.at(path)))
        aside = [(path, os.path.join(os.path.dirname(path), ASIDE % number))
                 for number, path in enumerate(there)]
        journal = {"made": [os.fsdecode(path) for path in made],
                   "aside": [[os.fsdecode(one), os.fsdecode(other)] for one, other in aside]}
        keeper = self.archives[-1]
        write_whole(os.path.join(keeper.path, JOURNAL), [json.dumps(journal).encode()])
        try:
            for path, other in aside:
                os.rename(self.place.at(path), self.place.at(other))
            # Of a folder and what is in it either may be in the newer archive. So all folders are there
            # first, and get what is theirs when nothing is put into them any more.
            folders = [path for path in made if self.is_folder(path)]
            for path in folders:
                os.mkdir(self.place.at(path), 0o700)
            others = [path for path in made if not self.is_folder(path)]
            for one in self.archives:
                self.unpack(one, others, "--keep-old-files")
            self.link_again(others)
            for one in self.archives:
                self.unpack(one, folders, "--overwrite-dir")
            self.compare(made)
            os.sync()
        except (OSError, Trouble):
            take_back(keeper)
            raise
        # From here on it stands: what is left of the journal names only what was set aside.
        journal["made"] = []
        write_whole(os.path.join(keeper.path, JOURNAL), [json.dumps(journal).encode()])
        for path in made:
            self.source[path][1]["state"] = RESTORED
        for one in self.archives:
            one.save()
        take_back(keeper)
        return made

    def unpack(self, archive, paths, way):
        """Unpacks those of the paths that come from this archive."""
        paths = [path for path in paths if self.source[path][0] is archive]
        if not paths:
            return
        words = tar_of(archive.file) + ATTRIBUTES + [
            "--extract", "--preserve-permissions", "--same-owner", "--no-recursion",
            way, "--directory", os.fsdecode(self.place.root or b"/"),
            "--null", "--no-unquote", "--files-from=-"]
        names = b"\0".join(path[1:] for path in paths)
        ended = subprocess.run(words, input=names, stderr=subprocess.PIPE)
        if ended.returncode != 0:
            raise Trouble("tar: %s" % ended.stderr.decode(errors="replace").strip())

    def compare(self, paths):
        """What came back is there, and as it was."""
        for path in paths:
            try:
                status = os.lstat(self.place.at(path))
            except FileNotFoundError:
                raise Trouble("the archive did not give %s" % shown(path))
            # An archive of a former version does not tell.
            known = self.source[path][1].get("owner")
            if known and known != owner(status):
                raise Trouble("%s came back with mode %o, user %d and group %d, and had %o, %d and %d"
                              % (shown(path), *owner(status), *known))

    def link_again(self, paths):
        """Names of one file are one file again."""
        first = {}
        for path in paths:
            archive, entry = self.source[path]
            if entry["links"]:
                number = (archive.path, *entry["links"])
                if number in first:
                    full = self.place.at(path)
                    os.unlink(full)
                    os.link(self.place.at(first[number]), full, follow_symlinks=False)
                first.setdefault(number, path)


def take_back(archive):
    """Ends what a journal tells of: what was made goes, what was set aside comes back in its place, or
    goes where that was filled for good."""
    place, path = archive.place, os.path.join(archive.path, JOURNAL)
    try:
        with open(path, "rb") as file:
            journal = json.loads(file.read())
    except FileNotFoundError:
        return
    aside = [(os.fsencode(one), os.fsencode(other)) for one, other in journal["aside"]]
    waiting = {one for one, other in aside if os.path.lexists(place.at(other))}
    untouched = {one for one, _ in aside} - waiting
    for made in sorted((os.fsencode(one) for one in journal["made"]), reverse=True):
        # What was not set aside yet is what was there before.
        if made not in untouched:
            remove_one(place.at(made))
    for one, other in aside:
        if one in waiting and journal["made"]:
            os.rename(place.at(other), place.at(one))
        elif one in waiting:
            remove_one(place.at(other))
    os.unlink(path)


def remove_one(full):
    try:
        if os.path.isdir(full) and not os.path.islink(full):
            os.rmdir(full)
        else:
            os.unlink(full)
    except OSError as error:
        # Somebody has put something into a folder that came back.
        if error.errno not in (errno.ENOENT, errno.ENOTEMPTY):
            raise
