# Archives and removes what builds have left on a machine beside packages.
#
# Arguments: `note` or `clean`, and what is wanted, as JSON:
#   {"state", "run", "runs", "folders", "left_out", "archive", "sandbox", "packages"}
# `runs` are this one and those before it after which nobody has cleaned, the oldest first.
# `note` is called before packages are removed, and keeps what belongs to them. `clean` writes what it did
# as STATE/runs/RUN/cruft.json.

LISTED = 50
# What is no news where it has changed: what emerge writes anew whenever packages come and go, and what
# tells of users, who are told themselves.
BOOKS = {b"/etc/" + name for name in (
    b"ld.so.cache", b"profile.env", b"csh.env", b"environment.d/10-gentoo-env.conf", b".pwd.lock",
    b"passwd", b"group", b"shadow", b"gshadow", b"subuid", b"subgid",
    b"passwd-", b"group-", b"shadow-", b"gshadow-", b"subuid-", b"subgid-")}
BOOKS |= {b"/usr/share/info/dir", b"/var/cache/ldconfig/aux-cache"}


def note(wanted):
    place = Place(wanted)
    os.makedirs(place.run, exist_ok=True)
    note_brought(place, wanted["packages"])


def in_use():
    """The paths and the (device, inode) that processes have open or run from."""
    found = set()
    for process in listed(b"/proc"):
        if not process.isdigit():
            continue
        base = b"/proc/" + process
        links = [base + b"/cwd", base + b"/root", base + b"/exe"]
        links += [base + b"/fd/" + one for one in listed_of(base + b"/fd")]
        for link in links:
            try:
                status = os.stat(link)
                found.add((status.st_dev, status.st_ino))
            except OSError:
                continue
        try:
            with open(base + b"/maps", "rb") as maps:
                found.update(line.split(None, 5)[5].rstrip(b"\n") for line in maps if b"/" in line)
        except OSError:
            continue
    return found


def listed_of(folder):
    try:
        return os.listdir(folder)
    except OSError:
        return []


def births(place, paths):
    """When each was born, in seconds since 1970; 0 where the file system does not tell (stat(1))."""
    found = {}
    for first in range(0, len(paths), 500):
        some = [place.at(path) for path in paths[first:first + 500]]
        ended = subprocess.run([b"stat", b"--printf=%.9W\\t%n\\0", b"--"] + some,
                               stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        for line in ended.stdout.split(b"\0"):
            number, _, path = line.partition(b"\t")
            try:
                found[path[len(place.root):]] = float(number)
            except ValueError:
                continue
    return found


def look(place, before):
    """What is new, with lstat and the highest new folder, and what is changed, with how."""
    new, changed, tops, seen = {}, {}, {}, set()
    for folder, block in Walk(place, before).blocks():
        seen.add(folder)
        names, others = difference(before.blocks.get(folder), block)
        for name in names:
            path = folder.rstrip(b"/") + b"/" + name
            try:
                new[path] = os.lstat(place.at(path))
            except FileNotFoundError:
                continue
        changed.update((folder + b"/" + name, words) for name, words in others
                       if folder + b"/" + name not in BOOKS)
    for folder in set(before.blocks) - seen:
        changed.update((folder + b"/" + name, [GONE]) for name in before.entries(folder))
    for path in sorted(new):
        tops[path] = tops.get(os.path.dirname(path), path)
    return new, changed, tops


def manifest(place):
    """The oldest manifest of the runs: what came after it was new to all of them."""
    for run in place.runs:
        try:
            return Manifest.load(os.path.join(run, b"manifest")), run
        except FileNotFoundError:
            continue
        except (OSError, ValueError, zlib.error) as error:
            raise Trouble("the manifest from before the builds cannot be read: %s" % error)
    raise Trouble("no manifest was made before the builds, so nobody knows what is new; "
                  "manifest.log beside the logs of the run says why")


def settle(place, wanted, archives, now):
    """Archives and removes. Gives what is told of it."""
    before, first = manifest(place)
    new, changed, tops = look(place, before)
    restored = {os.fsencode(entry["path"]) for one in archives.all() for entry in one.entries(RESTORED)}
    leads = {path: place.real(path) for path, status in new.items() if stat.S_ISLNK(status.st_mode)}
    targets = {pending_for(path) for path in new} - {None} | set(leads.values())
    owned = owners(place, set(new) | set(changed) | targets)
    fresh = {path: status for path, status in new.items()
             if path not in owned and path not in restored}
    arrived, of_gone = new_accounts(place, before.header["accounts"])
    known = Known(brought(place, BROUGHT), of_gone["users"], of_gone["groups"],
                  of_runs(place, wanted), in_use(), owned, workers())
    born = births(place, list(fresh))
    verdicts = {path: judge(Entry(path, status, born.get(path, 0), tops[path], leads.get(path)), known)
                for path, status in fresh.items()}
    goes = [(path, fresh[path]) for path in sorted(fresh) if verdicts[path] is GOES]
    if goes and wanted["archive"]:
        archive = create(archives, wanted["run"], goes, int(now))
        whole = set()
        if archive:
            whole = {os.fsencode(entry["path"]) for entry in archive.index["entries"]}
            archive.remove_archived()
        verdicts.update((path, UNARCHIVED) for path, _ in goes
                        if path not in whole and os.path.lexists(place.at(path)))
    stays = [(path, why) for path, why in sorted(verdicts.items()) if why not in (GOES, SILENT)]
    updated = changed_packages(place, os.path.join(first, b"before-builder"))
    others = [(path, words) for path, words in sorted(changed.items())
              if owned.get(path) not in updated and is_told(place, path, words, known)]
    told = {
        "found": limited([shown(path) for path, _ in goes]),
        "stays": limited([{"path": shown(path), "why": why} for path, why in stays]),
        "changed": limited([{"path": shown(path), "what": words} for path, words in others]),
    }
    told.update({kind: sorted(arrived[kind]) for kind in arrived})
    told["accounts_changed"] = changed_accounts(before.header["accounts"])
    return told


def new_accounts(place, then):
    """The users and groups that are new and have no package, by name; and the numbers of those whose
    package the runs brought, and is gone."""
    today, installed = accounts(), {name for name, _ in packages(place)}
    have, had = accounts_of(installed), accounts_of(brought(place, BROUGHT_PACKAGES) - installed)
    arrived = {kind: {name: entry for name, entry in today[kind].items()
                      if name not in then[kind] and name not in have[kind]} for kind in have}
    # A user begins with its number, and so does a group.
    numbers = {kind: {entry[0] for name, entry in arrived[kind].items() if name in had[kind]}
               for kind in arrived}
    return arrived, numbers


def changed_accounts(then):
    today = accounts()
    return sorted({name for kind in ("users", "groups") for name, entry in today[kind].items()
                   if then[kind].get(name, entry) != entry})


def is_told(place, path, words, known):
    """Whether what was there before and is another is worth a word. Of what is gone nobody knows whose it
    was, unless a package still has it: what an update takes with it is no news."""
    if words == [GONE]:
        return path in known.owned and not os.path.lexists(place.at(path))
    return is_of_run(place, path, known)


def is_of_run(place, path, known):
    """Whether a change of what was there may be the run's."""
    try:
        status = os.lstat(place.at(path))
    except FileNotFoundError:
        return False
    is_worker = status.st_uid in known.workers or status.st_uid in known.users
    return is_worker and known.times.hold(status.st_ctime_ns / SECOND)


def workers():
    """The users for whom emerge works."""
    found = {0}
    try:
        found.add(pwd.getpwnam("portage").pw_uid)
    except KeyError:
        pass
    return found


def limited(rows):
    return {"count": len(rows), "first": rows[:LISTED]}


def clean(wanted):
    place, now = Place(wanted), time.time()
    told = {}
    with Archives(place) as archives:
        try:
            # What one that was killed has not finished.
            for one in archives.all():
                one.remove_archived()
            for words in archives.damaged:
                print(words)
            told = settle(place, wanted, archives, now)
        except (Trouble, OSError, tarfile.TarError, subprocess.SubprocessError) as error:
            told["trouble"] = str(error)
        own = archives.of_run(wanted["run"])
        told["archives"] = [describe(one) for one in own]
        if wanted["archive"]:
            # Also what an attempt before this one has removed.
            gone = {shown(entry["path"]) for one in own for entry in one.gone()}
            told["found"] = limited(sorted(gone))
    write_whole(os.path.join(place.run, b"cruft.json"), [json.dumps(told).encode()])


def main(arguments):
    {"note": note, "clean": clean}[arguments[0]](json.loads(arguments[1]))


if __name__ == "__main__" and len(sys.argv) == 3:
    main(sys.argv[1:])
