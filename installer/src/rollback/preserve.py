# Keeps what is needed to give a machine back what it has now. The functions of state.py stand above this.
#
# Arguments: the folder where it is kept, and the name of the document below it. Standard input: JSON,
#   "slots"    pairs of package and slot: what is installed in them is kept
#   "packages" what else is kept, by its exact version
#   "ordered"  what will be installed, in this order
#   "store"    the folder of the store
#   "stored"   the binaries of these packages in it: [CPV, BUILD_ID, BUILD_TIME, path]
#   "command"  what makes binaries of what is installed, without the packages
# Of what is kept and not in the store as it is installed a binary is made, and protected files are copied
# as they are: quickpkg leaves out those that were edited.
#
# What an attempt before has kept stays as it is: what it was kept for may have begun since. Nothing is made
# that would leave no room for the way back. Prints {"is_new": whether nothing was kept under this name,
# "brings": bytes that the way back copies from the store}. Exit codes: 30 it cannot be kept.
import re
import shutil
import subprocess

import portage

# What is left free in any case.
MARGIN = 16 << 20


def in_slots(slots):
    database = portage.db[portage.root]["vartree"].dbapi
    return {cpv for package, slot in slots for cpv in database.match(package + ":" + slot)}


def size_of(cpv):
    """Bytes of the files of a package; a binary of it is smaller, as a rule."""
    return int(field(cpv, "SIZE") or 0)


def brings(document):
    """Bytes that the way back copies from the store."""
    files = (os.path.join(store, path) for store, path in document["stored"].values())
    return sum(os.path.getsize(path) for path in files if os.path.exists(path))


def must_have_room(folder, packages, spared):
    """A machine whose disk is full serves nobody, and cannot be put back."""
    needed = sum(size_of(cpv) for cpv in packages) + spared + MARGIN
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise OSError(
            "%s has %d MB free, and binaries of what is installed may take up to %d MB"
            % (folder, free >> 20, needed >> 20)
        )


def is_as_it_came(state, protected):
    """Whether a binary of the store has what is there. Protected files are kept beside it."""
    return all(
        protected.isprotected(path) or (state["paths"][path] or [None])[-1] == digest_in(line)
        for path, line in state["contents"].items()
        if digest_in(line)
    )


def copy_protected(states, folder, protected):
    for state in states:
        for path, there in state["paths"].items():
            if there and stat.S_ISREG(there[0]) and protected.isprotected(path):
                place = folder + path
                os.makedirs(os.path.dirname(place), exist_ok=True)
                shutil.copyfile(path, place)


def make(command, packages, folder):
    made = subprocess.run(
        command + ["=" + cpv for cpv in packages],
        env=dict(os.environ, PKGDIR=folder),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    if made.returncode != 0:
        # It paints what it says, whatever it is told about colours.
        said = re.sub(r"\x1b\[[0-9;]*m", "", made.stdout.decode("utf-8", "replace"))
        words = " ".join(said.split())[-1000:]
        raise OSError("quickpkg ended with %d: %s" % (made.returncode, words))


def make_new(command, missing, packages):
    """Leaves nothing behind of what could not be made whole."""
    files = lambda: {
        os.path.join(place, name) for place, _, names in os.walk(packages) for name in names
    }
    there = files()
    try:
        make(command, missing, packages)
    except OSError:
        for path in files() - there:
            os.unlink(path)
        raise


def keep(folder, name, order):
    packages = os.path.join(folder, "packages")
    os.makedirs(packages, exist_ok=True)
    os.chmod(folder, 0o700)
    path = os.path.join(folder, name)
    former = document_at(path)
    document = former or {
        "installed": installed(),
        "ordered": [],
        "packages": {},
        "stored": {},
        "pending": pending(),
    }
    known = document["ordered"]
    known += [cpv for cpv in order["ordered"] if cpv not in known]
    wanted = in_slots(order["slots"]) | set(order["packages"])
    # What is not as it was then is not what was to be kept.
    new = sorted(
        cpv
        for cpv in wanted - set(document["packages"])
        if document["installed"].get(cpv) == build_of(cpv)
    )
    # An index may name what is not there any more.
    stored = {
        (cpv, str(number), str(time)): path
        for cpv, number, time, path in order["stored"]
        if os.path.exists(os.path.join(order["store"], path))
    }
    protected = protection()
    states = {cpv: state_of(cpv) for cpv in new}
    found = {
        cpv: stored.get((cpv, *map(str, document["installed"][cpv])))
        for cpv in new
        if is_as_it_came(states[cpv], protected)
    }
    document["packages"].update(states)
    document["stored"].update({cpv: [order["store"], path] for cpv, path in found.items() if path})
    missing = [cpv for cpv in new if not found.get(cpv)]
    if missing:
        # What was before the update is brought back, and one package of it after the other put in place.
        was = None if name == "before.json" else document_at(os.path.join(folder, "before.json"))
        spared = brings(was) + max(map(size_of, missing)) if was else 0
        must_have_room(folder, missing, spared)
        make_new(order["command"], missing, packages)
    copy_protected(states.values(), files_of(folder, name), protected)
    write_document(path, document)
    return {"is_new": former is None, "brings": brings(document)}


def main():
    folder, name = sys.argv[1:]
    order = json.load(sys.stdin)
    try:
        json.dump(keep(folder, name, order), sys.stdout)
    except OSError as error:
        # What is half made would take the room for good.
        if not os.path.exists(os.path.join(folder, "before.json")):
            shutil.rmtree(folder, ignore_errors=True)
        fail(30, "%s" % error)


main()
