"""Looks into one binary package: python3 - MARKER PKGDIR CPV BUILD_ID FOLDER

Prints, between two lines MARKER, a JSON document of what a guest must be able to hold and to run:
{"sizes": {FOLDER OF THE ROOT: BYTES}, "needs": {SONAME: [VERSION OF A SYMBOL, ...]}}.
The package is unpacked into FOLDER, which is empty, by Portage's API (3.0.30 and later), whatever
its format is. The versions are read by readelf, which every toolchain has.
"""

import json
import os
import re
import subprocess
import sys

# The libraries of the C library and of the compiler: what a toolchain puts into everything that it
# builds. Versions of other libraries are the business of their packages' dependencies.
RUNTIME = re.compile(r"^(lib(c|m|pthread|dl|rt|resolv|util|mvec)|ld-linux[\w-]*|libstdc\+\+|libgcc_s)\.so\.\d+$")
# GLIBC_PRIVATE is for the C library itself. GLIBC_ABI_DT_RELR is added by the linker (-z
# pack-relative-relocs), so that no C library starts the program that cannot read it.
VERSION = re.compile(r"^(GLIBC|GLIBCXX|CXXABI|GCC)_([0-9]+(\.[0-9]+)*|ABI_DT_RELR)$")
NEEDS = re.compile(r"^\s+(?:0x)?[0-9a-f]+: Version: \d+  File: (\S+)  Cnt: \d+$")
NAME = re.compile(r"^\s+(?:0x)?[0-9a-f]+:\s+Name: (\S+)  Flags: ")
AT_ONCE = 100


def unpack(pkgdir, cpv, build_id, folder):
    os.environ["PKGDIR"] = pkgdir
    # It was made here just now; whether this machine trusts whoever signed it makes no difference.
    os.environ["FEATURES"] = "-binpkg-request-signature binpkg-ignore-signature"
    import portage
    from portage.util._eventloop.global_event_loop import global_event_loop

    tree = portage.db[portage.settings["EROOT"]]["bintree"]
    tree.populate()
    for found in tree.dbapi.cpv_all():
        if str(found) == cpv and str(getattr(found, "build_id", "")) == build_id:
            loop = global_event_loop()
            loop.run_until_complete(tree.dbapi.unpack_contents(found, folder, loop=loop))
            return
    raise SystemExit("{}-{} is not in {}".format(cpv, build_id, pkgdir))


def files(folder):
    """(folder of the root, path, lstat) of everything, a hard link once."""
    seen = set()
    for place, folders, names in os.walk(folder):
        below = os.path.relpath(place, folder).split(os.sep)[0]
        for name in folders + names:
            path = os.path.join(place, name)
            status = os.lstat(path)
            if (status.st_dev, status.st_ino) not in seen:
                seen.add((status.st_dev, status.st_ino))
                yield (name if below == "." else below), path, status


def machine_of(path):
    """What machine an ELF file is for: its class, byte order and e_machine (elf(5)); None of
    another file. A package may hold files for several, each with a C library of its own: those for
    32 bits of an amd64 need symbol versions that the library for 64 bits never had."""
    with open(path, "rb") as file:
        header = file.read(20)
    return header[4:6] + header[18:20] if header[:4] == b"\x7fELF" else None


def versions(paths):
    """(soname, version of a symbol) that these programs need."""
    call = ["readelf", "--version-info", "--wide"] + paths
    said = subprocess.run(call, env=dict(os.environ, LC_ALL="C"), stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False)
    soname = None
    for line in said.stdout.decode("utf-8", "replace").splitlines():
        needs, name = NEEDS.match(line), NAME.match(line)
        if needs:
            soname = needs.group(1)
        elif not name or " Rev: " in line:
            # Definitions of a library's own versions have a revision, and another section.
            soname = None if line.startswith("Version ") else soname
        elif soname and RUNTIME.match(soname) and VERSION.match(name.group(1)):
            yield soname, name.group(1)


def main():
    marker, pkgdir, cpv, build_id, folder = sys.argv[1:]
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    unpack(pkgdir, cpv, build_id, folder)
    sizes, programs, needs = {}, [], {}
    own = machine_of("/proc/self/exe")
    for place, path, status in files(folder):
        # A file takes whole blocks.
        sizes[place] = sizes.get(place, 0) + max(status.st_blocks * 512, status.st_size)
        if os.path.isfile(path) and not os.path.islink(path) and machine_of(path) == own:
            programs.append(path)
    for first in range(0, len(programs), AT_ONCE):
        for soname, version in versions(programs[first:first + AT_ONCE]):
            needs.setdefault(soname, set()).add(version)
    document = {"sizes": sizes, "needs": {name: sorted(found) for name, found in needs.items()}}
    answers.write("\n{0}\n{1}\n{0}\n".format(marker, json.dumps(document, sort_keys=True)))
    answers.close()


main()
