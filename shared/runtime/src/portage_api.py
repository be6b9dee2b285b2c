"""Asks a Gentoo machine what it is, what it has and what it needs.

Runs on a guest with the argument REQUEST and prints one JSON document between two lines that hold
the request's marker; whatever the machine's shell prints around them is no part of the answer.
REQUEST is JSON: {"marker": TEXT, "emerge": {"argv": [TEXT, ...], "environment": {NAME: VALUE}}}
for a whole plan with the metadata of its rows, or
{"marker": TEXT, "packages": [[CPV, REPOSITORY], ...]} for the metadata of these ebuilds alone;
both tell of the ebuild repositories and of the machine's settings.
The document of a plan says, too, what it depends on ("watch") and what the machine's fingerprint of
that was before anything was read: one that was taken before this program began, the last argument,
where "watched" is what that looked at; else "look" is the beginning of the call of look.sh that
takes one.

Nothing is installed or removed: emerge runs with --pretend or not at all, and Portage's API
(3.0.30 and later) is only read. Where Portage cannot answer, the document says so in "error".
"""

import hashlib
import json
import os
import pwd
import re
import runpy
import selectors
import shutil
import signal
import sys

FORMAT = 1

# What tells one platform from another, and what explains a plan. See make.conf(5).
SETTINGS = (
    "ACCEPT_KEYWORDS", "ACCEPT_LICENSE", "ABI", "ARCH", "BINPKG_FORMAT", "CBUILD", "CFLAGS",
    "CHOST", "CPPFLAGS", "CXXFLAGS", "ELIBC", "EPREFIX", "FCFLAGS", "FEATURES", "FFLAGS", "KERNEL",
    "LDFLAGS", "PKGDIR", "ROOT", "RUSTFLAGS", "USE",
)
# python-exec(1): the versions of Python that emerge is started with.
PYTHON_EXEC_CHOICE = "/etc/python-exec/emerge.conf"
DEPENDENCIES = ("DEPEND", "BDEPEND", "RDEPEND", "PDEPEND", "IDEPEND")

ESCAPE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
ROW = re.compile(r"^\[(?:ebuild|binary|nomerge)\b[^\]]*\]\s+(\S+)", re.MULTILINE)
# An atom whose `:=` was bound when its package was built: `dev-libs/a:0/2=`.
BOUND = re.compile(r"^[^!:\s]+:[^/=\s]+/[^=\s]+=")


class Refused(Exception):
    """The request asks for what this program does not do."""


def pretend(request):
    """What emerge plans: {"stdout", "stderr", "status"}."""
    argv = request["argv"]
    if argv[0] != "emerge" or not ({"--pretend", "-p"} & set(argv)):
        raise Refused("only `emerge --pretend` is run here")
    pipes = [os.pipe(), os.pipe()]
    child = os.fork()
    if child == 0:
        for read_end, _ in pipes:
            os.close(read_end)
        # Past all that handles errors of the answer, up to where this process may end as emerge.
        raise Become(argv, request["environment"], [write_end for _, write_end in pipes])
    for _, write_end in pipes:
        os.close(write_end)
    stdout, stderr = (text.decode("utf-8", "replace") for text in read_all(
        [read_end for read_end, _ in pipes]))
    ended = os.waitpid(child, 0)[1]
    status = os.WEXITSTATUS(ended) if os.WIFEXITED(ended) else -os.WTERMSIG(ended)
    return {"stdout": stdout, "stderr": stderr, "status": status}


def read_all(pipes):
    """What comes out of each of these, read as it comes: whoever writes to one waits for nobody who
    reads another."""
    found = {pipe: [] for pipe in pipes}
    with selectors.DefaultSelector() as selector:
        for pipe in pipes:
            selector.register(pipe, selectors.EVENT_READ)
        while selector.get_map():
            for key, _ in selector.select():
                part = os.read(key.fd, 1 << 16)
                found[key.fd].append(part)
                if not part:
                    selector.unregister(key.fd)
                    os.close(key.fd)
    return [b"".join(found[pipe]) for pipe in pipes]


class Become(BaseException):
    """This process is to be emerge from now on."""

    def __init__(self, argv, environment, printed):
        super().__init__()
        self.argv, self.environment, self.printed = argv, environment, printed

    def run(self):
        # Standard input is this program's own text.
        for number, file in enumerate([os.open(os.devnull, os.O_RDONLY)] + self.printed):
            os.dup2(file, number)
        os.environ.update(self.environment)
        script = emerge_script()
        if script is None:
            signal.signal(signal.SIGPIPE, signal.SIG_DFL)
            os.execvp(self.argv[0], self.argv)
        # Python has started and Portage's modules are read: a third of what a small plan takes.
        sys.argv = [script] + self.argv[1:]
        try:
            runpy.run_path(script, run_name="__main__")
        except SystemExit as end:
            import portage.process

            portage.process.run_exitfuncs()
            end_now(status_of(end))
        end_now(0)


def status_of(end):
    """The exit status that a SystemExit asks for; a text is printed, as Python does it."""
    if end.code is None or isinstance(end.code, int):
        return end.code or 0
    print(end.code, file=sys.stderr)
    return 1


def end_now(status):
    """Ends this process without taking all its objects apart, which takes a tenth of its time."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


def emerge_script():
    """The Python text that `emerge` is for this very Python and this very Portage, or None.

    python-exec(1) starts the one in a folder named after the Python's version, unless its
    configuration names another version for emerge. One that runs in a checkout of Portage brings
    modules of its own.
    """
    found = shutil.which("emerge")
    if found is None:
        return None
    version = "python{}.{}".format(*sys.version_info)
    prefix = os.path.dirname(os.path.dirname(found))
    of_version = os.path.join(prefix, "lib", "python-exec", version, "emerge")
    is_chosen = not os.path.exists(PYTHON_EXEC_CHOICE)
    for path in [of_version] * is_chosen + [found]:
        if os.path.isfile(path) and re.match(rb"#!.*python", read_bytes(path)[:100]):
            home = os.path.dirname(os.path.dirname(os.path.realpath(path)))
            is_installed = not os.path.exists(os.path.join(home, ".portage_not_installed"))
            return path if is_installed else None
    return None


def digest(parts):
    """SHA-256 over named contents, each framed, so that no two lists of parts look alike."""
    whole = hashlib.sha256()
    for name, content in parts:
        whole.update("{}\0{}\n".format(name, hashlib.sha256(content).hexdigest()).encode())
    return whole.hexdigest()


def world(portage, settings):
    """The atoms and sets of the world files, and the atoms of the system set."""
    wanted = []
    for path in (portage.const.WORLD_FILE, portage.const.WORLD_SETS_FILE):
        wanted += portage.util.grabfile(os.path.join(settings["EROOT"], path))
    # In the profile's `packages` files a star marks the system set.
    wanted += [str(atom)[1:] for atom in settings.packages if str(atom).startswith("*")]
    return sorted(set(wanted))


def number(text):
    return int(text) if text.strip().isdigit() else None


def flags_of(iuse):
    """The flags of an IUSE, without the signs of their defaults."""
    return sorted({flag.lstrip("+-") for flag in iuse.split()})


def installed(vardb, problems):
    """Everything installed, with the subslots that each package was bound to when it was built."""
    keys = ("SLOT", "repository", "BUILD_ID", "BUILD_TIME", "USE", "IUSE") + DEPENDENCIES
    packages = []
    for cpv in sorted(vardb.cpv_all()):
        try:
            value = dict(zip(keys, vardb.aux_get(cpv, list(keys))))
        except KeyError as error:
            problems.append("installed {}: {}".format(cpv, error))
            continue
        iuse = flags_of(value["IUSE"])
        atoms = " ".join(value[name] for name in DEPENDENCIES).split()
        packages.append({
            "cpv": str(cpv),
            "slot": value["SLOT"].strip(),
            "repository": value["repository"].strip() or None,
            "build_id": number(value["BUILD_ID"]),
            "build_time": number(value["BUILD_TIME"]),
            "use": sorted(set(value["USE"].split()) & set(iuse)),
            "iuse": iuse,
            "bindings": sorted({atom for atom in atoms if BOUND.match(atom)}),
        })
    return packages


def planned(stdout):
    """The (package-version, repository) of every row of a plan, read loosely."""
    rows = set()
    for word in ROW.findall(ESCAPE.sub("", stdout)):
        name, _, repository = word.partition("::")
        rows.add((name.partition(":")[0], repository or None))
    return sorted(rows, key=lambda row: (row[0], row[1] or ""))


def user_patches(settings, package):
    """The contents of the patches that eapply_user would apply, in its order (portage(5))."""
    category, name, version, revised = package.cpv_split
    folder = os.path.join(settings["PORTAGE_CONFIGROOT"], "etc/portage/patches", category)
    applied = {}
    for place in (name, "{}-{}".format(name, version), "{}-{}-{}".format(name, version, revised)):
        for place_and_slot in (place, "{}:{}".format(place, package.slot)):
            path = os.path.join(folder, place_and_slot)
            for patch in os.listdir(path) if os.path.isdir(path) else ():
                if patch.endswith((".diff", ".patch")):
                    applied[patch] = read_bytes(os.path.join(path, patch))
    # An empty patch takes back one of the same name.
    return [("patch " + name, content) for name, content in sorted(applied.items()) if content]


def environment_parts(settings, package):
    """What the administrator adds to the build of this package, as named contents.

    `settings` is set to the package. /etc/portage/bashrc is not part of it: it concerns every
    package, and only the platform can tell it apart.
    """
    own = os.path.join(settings["PORTAGE_CONFIGROOT"], "etc/portage")
    # package.env(5): Portage keeps the names of the matching files here, and nowhere in public.
    files = [("package.env", os.path.join(own, "env", name)) for name in settings._penv]
    category, pn, version = package.cpv_split[:3]
    short = "{}-{}".format(pn, version)
    full = str(package).partition("/")[2]
    for name in dict.fromkeys((pn, short, full)):
        for hook in (name, "{}:{}".format(name, package.slot)):
            path = os.path.join(own, "env", category, hook)
            if os.path.isfile(path):
                files.append(("env", path))
    files += [("bashrc", path) for path in getattr(settings, "_pbashrc", ())
              if path.startswith(own + os.sep) and os.path.isfile(path)]
    parts = [(kind, read_bytes(path) if os.path.isfile(path) else b"") for kind, path in files]
    return parts + user_patches(settings, package)


def ebuild_parts(portdb, settings, cpv, repository, inherited):
    """The ebuild and its eclasses, by name."""
    path, tree = portdb.findname2(cpv, myrepo=repository)
    if path is None:
        raise KeyError("no ebuild")
    eclasses = settings.repositories.get_repo_for_location(tree).eclass_db.eclasses
    parts = [(name, read_bytes(eclasses[name].location)) for name in sorted(set(inherited))]
    return [("ebuild", read_bytes(path))] + parts


def metadata_of(portage, portdb, vardb, settings, cpv, repository):
    """What an ebuild says of itself, and what this machine's configuration makes of it."""
    keys = ("SLOT", "IUSE", "EAPI", "INHERITED", "KEYWORDS", "LICENSE", "PROPERTIES",
            "RESTRICT", "REQUIRED_USE", "DEFINED_PHASES") + DEPENDENCIES
    value = dict(zip(keys, portdb.aux_get(cpv, list(keys), myrepo=repository)))
    value["repository"] = repository
    package = portage.versions._pkg_str(
        cpv, slot=value["SLOT"], repo=repository, eapi=value["EAPI"]
    )
    settings.setcpv(package, mydb=value)
    environment = environment_parts(settings, package)
    answer = {
        "slot": value["SLOT"],
        "eapi": value["EAPI"],
        "iuse": flags_of(value["IUSE"]),
        "use": sorted(settings["PORTAGE_USE"].split()),
        "ebuild_digest": digest(
            ebuild_parts(portdb, settings, cpv, repository, value["INHERITED"].split())
        ),
        "environment_digest": digest(environment) if environment else None,
    }
    answer["builds_modules"] = builds_modules(value["INHERITED"].split(), package, vardb)
    answer.update((name.lower(), value[name]) for name in DEPENDENCIES)
    return answer


def metadata(portage, trees, settings, rows, problems):
    """The metadata of every row of the plan, by `category/package-version::repository`."""
    own_settings = portage.config(clone=settings)
    portdb, vardb = trees["porttree"].dbapi, trees["vartree"].dbapi
    answer = {}
    for cpv, repository in rows:
        if portage.versions.catpkgsplit(cpv) is None:
            problems.append("{} is no package and version".format(cpv))
            continue
        try:
            if repository is None:
                tree = portdb.findname2(cpv)[1]
                repository = tree and portdb.getRepositoryName(tree)
            name = "{}::{}".format(cpv, repository)
            answer[name] = metadata_of(portage, portdb, vardb, own_settings, cpv, repository)
        except (KeyError, OSError, portage.exception.PortageException) as error:
            problems.append("{}::{}: {!r}".format(cpv, repository, error))
    return answer


def describe(document, request):
    """Fills the document with what Portage's API knows, with the machine if there is a plan."""
    import portage

    document["portage_version"] = portage.VERSION
    if "emerge" in request:
        if os.geteuid() != 0:
            raise Refused("the login is as user {}, and only root can install; name root in the "
                          "address".format(pwd.getpwuid(os.geteuid()).pw_name))
        # It applies package moves to what is installed: nothing of that may be read before.
        document["plan"] = pretend(request["emerge"])
    settings, problems = portage.settings, document["problems"]
    trees = portage.db[settings["EROOT"]]
    document["repositories"] = repositories(portage, settings, problems)
    document["settings"] = {name: settings[name] for name in SETTINGS if settings.get(name)}
    if "emerge" in request:
        describe_machine(portage, settings, trees, document)
        rows = planned(document["plan"]["stdout"])
    else:
        rows = request["packages"]
    document["metadata"] = metadata(portage, trees, settings, rows, problems)
    document["kernel"], document["kernel_has_sources"] = kernel(settings)
    if not document["kernel_has_sources"] and any(
            package["builds_modules"] for package in document["metadata"].values()):
        document["unwatched"] = "another kernel may run without a change of any file"


def describe_machine(portage, settings, trees, document):
    """What the machine is and has, and what tells that this has changed."""
    if settings.profiles:
        document["profile"] = os.path.realpath(settings.profile_path)
    elif all(repository["exists"] for repository in document["repositories"]):
        raise Refused("there is no valid profile: see /etc/portage/make.profile")
    document["world"] = world(portage, settings)
    document["installed"] = installed(trees["vartree"].dbapi, document["problems"])
    try:
        document["watch"] = watched(portage, settings, document["repositories"])
    except (Refused, OSError) as error:
        document["unwatched"] = str(error)


def answer(request, fingerprint):
    """The whole document; an "error" in it where Portage cannot answer."""
    document = {"format": FORMAT, "problems": []}
    seen = None
    try:
        if "watched" in request:
            seen = (request["watched"], fingerprint)
        elif "look" in request:
            seen = look_first(request["look"])
        describe(document, request)
    except ImportError as error:
        document["error"] = "python3 has no Portage: {}".format(error)
    except (Refused, OSError) as error:
        document["error"] = str(error)
    except (Exception, SystemExit) as error:  # Portage raises its own kinds, and leaves on some.
        document["error"] = "{}: {}".format(type(error).__name__, error)
    # What is to be watched may have changed meanwhile, too.
    if seen is not None and seen[0] == document.get("watch") and FINGERPRINT.fullmatch(seen[1]):
        document["fingerprint"] = seen[1]
    return document


def main():
    sys.dont_write_bytecode = True
    request = json.loads(sys.argv[1])
    # Portage prints warnings where it likes; between the markers stands the document alone.
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    try:
        document = json.dumps(answer(request, sys.argv[-1]), sort_keys=True)
    except Become as emerge:
        answers.close()
        emerge.run()
    else:
        answers.write("\n{0}\n{1}\n{0}\n".format(request["marker"], document))
        answers.close()
        end_now(0)


if __name__ == "__main__":
    main()
