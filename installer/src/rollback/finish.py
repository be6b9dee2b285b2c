# The end of a step of a way back: what Portage does not put back, and the proof that all is as it was. The
# functions of state.py stand above this.
#
# Argument: the folder of the run. Standard input: JSON, the packages that are to be as they were "before" the
# run, and those that are to be as they were "after" it. Prints a JSON list of what differs.
#
# Portage is told to protect all configuration, so that nothing of it is overwritten: files that nobody had
# edited when the way back began (ours.json) get the content that they had, and all others stay as they are.
#
# A binary that was made from what was installed holds an empty file in the place of configuration that
# somebody had edited (quickpkg, --include-config=n), and the package would own that. Its former line in
# CONTENTS, with the digest of the file as it had come, says that it was edited.
import shutil

import portage
from portage.dbapi.vartree import dblink

# What quickpkg has in the place of configuration that was edited.
EMPTY = hashlib.md5(b"# empty file because --include-config=n when `quickpkg` was used\n").hexdigest()


def said(line):
    """What CONTENTS says of a path, but for the time."""
    return line and (line.rsplit(" ", 1)[0] if line.startswith(("obj ", "sym ")) else line)


def restore(path, was, copies):
    """Gives a file the content, the mode and the owners that it had."""
    copy = next((place + path for place in copies if os.path.exists(place + path)), None)
    if not copy:
        return
    new = path + ".gentoo-updater"
    os.makedirs(os.path.dirname(path), exist_ok=True)
    shutil.copyfile(copy, new)
    os.chown(new, was[2], was[3])
    os.chmod(new, was[1])
    os.rename(new, path)


def restore_configuration(state, ours, copies, protected):
    for path, was in state["paths"].items():
        if not protected.isprotected(path):
            continue
        there = found(path)
        is_empty = bool(there) and there[-1] == EMPTY
        if there == was or not (path in ours or is_empty):
            continue
        if was and stat.S_ISREG(was[0]):
            restore(path, was, copies)
        elif is_empty:
            os.unlink(path)


def own_again(cpv, state, protected):
    """Gives a package back what it owned, as far as that is there as it was, or was edited."""
    have, lines = contents(cpv), state["contents"]
    lost = [
        path
        for path in lines
        if said(have.get(path)) != said(lines[path])
        and os.path.lexists(path)
        and (protected.isprotected(path) or found(path) == state["paths"][path])
    ]
    if not lost:
        return
    vartree = portage.db[portage.root]["vartree"]
    category, package = portage.catsplit(cpv)
    link = dblink(category, package, settings=vartree.settings, treetype="vartree", vartree=vartree)
    now = dict(link.getcontents())
    for path in lost:
        kind = lines[path].split(" ", 1)[0]
        if kind == "obj":
            digest, time = lines[path].rsplit(" ", 2)[1:]
            now[path] = ["obj", time, digest]
        elif kind == "sym":
            target, time = lines[path].split(" -> ", 1)[1].rsplit(" ", 1)
            now[path] = ["sym", time, target]
        else:
            now[path] = [kind]
    vartree.dbapi.lock()
    try:
        vartree.dbapi.writeContentsToContentsFile(link, now)
    finally:
        vartree.dbapi.unlock()


def differences(cpv, was, now, ours, protected):
    for name in sorted(was):
        if name not in ("paths", "contents") and was[name] != now[name]:
            yield "%s: %s is %s, it was %s" % (cpv, name, now[name], was[name])
    for path in sorted(set(was["contents"]) & set(now["contents"])):
        if said(was["contents"][path]) != said(now["contents"][path]):
            yield "%s: it owns %s as another one" % (cpv, path)
    old, paths = was["paths"], now["paths"]
    for path in sorted(set(old) | set(paths)):
        is_edited = protected.isprotected(path) and path not in ours
        if path not in paths:
            # Whoever has removed it since wants it so.
            if old[path] is not None and os.path.lexists(path):
                yield "%s: it does not own %s any more" % (cpv, path)
        elif path not in old:
            yield "%s: it owns %s, and did not" % (cpv, path)
        elif old[path] != paths[path] and not is_edited:
            yield "%s: %s is not as it was" % (cpv, path)


def waits_for(path):
    """The file whose place this one would take."""
    folder, name = os.path.split(path)
    return os.path.join(folder, name[len("._cfg0000_") :])


def main():
    folder = sys.argv[1]
    wanted = json.load(sys.stdin)
    was = before(folder)
    after = document_at(os.path.join(folder, "after.json")) or {"packages": {}}
    ours = set(document_at(os.path.join(folder, "ours.json")) or ())
    protected = protection()
    before_files = [files_of(run, "before.json") for run in runs_from(folder)]
    parts = (
        (wanted["before"], was["packages"], before_files),
        (wanted["after"], after["packages"], [files_of(folder, "after.json")]),
    )
    told = []
    for names, states, copies in parts:
        for cpv in names:
            if not os.path.isdir(os.path.join(VDB, cpv)):
                told.append("%s: it is not installed" % cpv)
                continue
            restore_configuration(states[cpv], ours, copies, protected)
            own_again(cpv, states[cpv], protected)
            told += differences(cpv, states[cpv], state_of(cpv), ours, protected)
    states = list(was["packages"].values()) + list(after["packages"].values())
    owned = {path for state in states for path in state["contents"]}
    for path in set(pending()) - set(was["pending"]):
        if waits_for(path) in owned:
            os.unlink(path)
    json.dump(told, sys.stdout)


main()
