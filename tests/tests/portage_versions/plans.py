#!/usr/bin/env python3
"""Makes many plans with one version of Portage, each as text and as Portage's own objects.

    plans.py /opt/portage-VERSION < CASES > ANSWERS

CASES is a JSON list of {"name", "state", "prepare", "environment", "argv"}. ANSWERS has a line of
JSON for each, in the same order: {"name", "stdout", "stderr", "status", "shown"}.

Each case runs the version's own program `emerge`, in a process that has loaded its modules already,
and with a root file system of its own: the ebuild repository is at the state wanted, PKGDIR is
empty, and what the shell script `prepare` or Portage write below /etc, /var/cache, /var/db and
/var/lib is gone at the end. The store is at /mnt/store.

"shown" holds, for each list that emerge printed, the packages that its resolver handed to the
printer. Nothing of the code that makes text of them is used here.
"""
import ctypes
import json
import os
import runpy
import signal
import subprocess
import sys
import traceback

CLONE_NEWNS = 0x00020000
MS_BIND, MS_MOVE, MS_REC, MS_PRIVATE = 4096, 8192, 16384, 1 << 18
LIBC = ctypes.CDLL(None, use_errno=True)


def checked(status, what):
    if status != 0:
        raise OSError(ctypes.get_errno(), f"{what}: {os.strerror(ctypes.get_errno())}")


def mount(source, target, kind=None, flags=0, options=None):
    words = [word and word.encode() for word in (source, target, kind)]
    checked(LIBC.mount(*words, flags, options and options.encode()), f"mount {source} {target}")


def make_private_root(state):
    """Whatever is written or mounted from here on is this process's and its children's own."""
    checked(LIBC.unshare(CLONE_NEWNS), "unshare")
    mount("none", "/", None, MS_REC | MS_PRIVATE)
    mount("tmpfs", "/mnt", "tmpfs", 0, "mode=755")
    for place, source in (
        ("/mnt/store", "/var/cache/binpkgs"),
        ("/mnt/repository", "/var/db/repos/gentoo-" + state),
    ):
        os.mkdir(place)
        mount(source, place, None, MS_BIND)
    # What is mounted below these is not part of them: PKGDIR is the empty folder.
    for folder in ("etc", "var/cache", "var/db", "var/lib"):
        os.makedirs("/mnt/new/" + folder)
        os.makedirs("/mnt/overlay/" + folder)
        options = f"lowerdir=/{folder},upperdir=/mnt/new/{folder},workdir=/mnt/overlay/{folder}"
        mount("overlay", "/" + folder, "overlay", 0, options)
    mount("/mnt/repository", "/var/db/repos/gentoo", None, MS_MOVE)


def answer(place, case, folder):
    """Runs one case in a child process."""
    paths = {name: os.path.join(folder, name) for name in ("stdout", "stderr", "shown")}
    for path in paths.values():
        with open(path, "w"):
            pass
    child = os.fork()
    if child == 0:
        status = 1
        try:
            status = be_emerge(place, case, paths)
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(status)
    _, status = os.waitpid(child, 0)
    result = {"name": case["name"], "status": os.waitstatus_to_exitcode(status)}
    for name, path in paths.items():
        with open(path, encoding="utf-8", errors="replace", newline="") as file:
            result[name] = file.read()
    result["shown"] = [json.loads(line) for line in result["shown"].splitlines()]
    return result


def be_emerge(place, case, paths):
    # Some versions end with a signal to their whole process group.
    os.setsid()
    # Whatever hangs ends here, and the case has failed.
    signal.alarm(300)
    make_private_root(case["state"])
    if case["prepare"]:
        subprocess.run(["sh", "-euc", case["prepare"]], check=True, stdin=subprocess.DEVNULL)
    os.environ.update(case["environment"])
    shown = open(paths["shown"], "a")
    for number, name in ((1, "stdout"), (2, "stderr")):
        file = os.open(paths[name], os.O_WRONLY)
        os.dup2(file, number)
        os.close(file)
    watch(shown)
    program = os.path.join(place, "bin", case["argv"][0])
    sys.argv = [program] + case["argv"][1:]
    try:
        runpy.run_path(program, run_name="__main__")
    except SystemExit as end:
        if isinstance(end.code, str):
            print(end.code, file=sys.stderr)
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    return 0


def watch(file):
    """Has every list that the resolver hands to the printer written down."""
    from _emerge.depgraph import depgraph

    display = depgraph.display

    def watched(self, mylist, *args, **kwargs):
        json.dump([describe(self, package) for package in mylist], file)
        file.write("\n")
        file.flush()
        return display(self, mylist, *args, **kwargs)

    depgraph.display = watched


def describe(graph, package):
    """A package, or a block, of the list."""
    if not hasattr(package, "cpv"):
        return {
            "kind": "blocks",
            "atom": str(package.atom),
            "satisfied": package.satisfied is not None and package.satisfied is not False,
        }
    settings = graph._frozen_config.roots[package.root].settings
    installed = graph._frozen_config.trees[package.root]["vartree"].dbapi
    hidden = tuple(group.lower() + "_" for group in settings.get("USE_EXPAND_HIDDEN", "").split())
    flags = {flag for flag in package.iuse.all if not flag.startswith(hidden)}
    # With the changes that the plan needs.
    enabled = flags & set(graph._pkg_use_enabled(package))
    kind = {"merge": package.type_name}.get(package.operation, package.operation)
    build_id = getattr(package.cpv, "build_id", None)
    return {
        "kind": kind,
        "cpv": str(package.cpv),
        "build_id": build_id if package.type_name == "binary" else None,
        "slot": package.slot,
        "subslot": package.sub_slot,
        "repository": package.repo,
        "enabled": sorted(enabled),
        "disabled": sorted(flags - enabled),
        "remote": package.type_name == "binary" and package.remote if hasattr(package, "remote") else None,
        "same_installed": bool(installed.cpv_exists(package.cpv)),
        "in_slot": sorted(str(cpv) for cpv in installed.match(package.slot_atom)),
        "installed": sorted(str(cpv) for cpv in installed.match(package.cp)),
    }


def main():
    place = sys.argv[1]
    sys.path.insert(0, os.path.join(place, "lib"))
    cases = json.load(sys.stdin)
    # What every case needs is loaded once. Nothing of it reads the configuration.
    import portage

    portage._internal_caller = True
    import _emerge.actions
    import _emerge.main
    import _emerge.depgraph

    if not portage.__file__.startswith(place):
        raise SystemExit("the modules are those of " + portage.__file__)
    folder = subprocess.check_output(["mktemp", "-d", "/tmp/plans.XXXXXX"], text=True).strip()
    for case in cases:
        print(json.dumps(answer(place, case, folder)), flush=True)


main()
