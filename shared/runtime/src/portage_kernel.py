"""The kernel that a machine's modules are built for.

The part of portage_api.py before its end, whose names it uses: they go to the machine as one program.
"""

import gzip
import hashlib
import os
import re

# Eclasses of packages that build modules for a kernel that is there already (linux-mod-r1.eclass).
MODULE_ECLASSES = {"linux-mod", "linux-mod-r1"}
# Eclasses of packages that bring a kernel with its own modules.
KERNEL_ECLASSES = {"kernel-2", "kernel-build", "kernel-install"}
MODULES_BELOW = re.compile(rb"^obj (?:/usr)?/lib/modules/", re.MULTILINE)
VERSION_PARTS = ("VERSION", "PATCHLEVEL", "SUBLEVEL", "EXTRAVERSION")


def builds_modules(inherited, package, vardb):
    """Whether a package builds modules for the machine's kernel: its eclass says so, or what is
    installed of it has some."""
    eclasses = set(inherited)
    if eclasses & KERNEL_ECLASSES:
        return False
    if eclasses & MODULE_ECLASSES:
        return True
    for cpv in vardb.match(package.cp):
        try:
            if MODULES_BELOW.search(read_bytes(vardb.getpath(cpv, filename="CONTENTS"))):
                return True
        except OSError:
            continue
    return False


def kernel_folders(settings):
    """Where sources and what was built of them lie, as linux-info.eclass looks for them."""
    sources = settings.get("KERNEL_DIR") or os.path.join(settings["ROOT"], "usr/src/linux")
    return sources, settings.get("KBUILD_OUTPUT") or sources


def kernel_files(settings):
    """What the kernel of a machine with sources is known by."""
    sources, output = kernel_folders(settings)
    return [os.path.join(sources, "Makefile"), os.path.join(output, ".config"),
            os.path.join(output, "include", "config", "kernel.release")]


def release_of_makefile(path):
    """The release that the sources have before anything is built of them, or None."""
    try:
        text = read_bytes(path).decode("utf-8", "replace")
    except OSError:
        return None
    parts = dict(re.findall(r"^(\w+)[ \t]*=[ \t]*(\S*)[ \t]*$", text, re.MULTILINE))
    if "VERSION" not in parts:
        return None
    version, patch, sub, extra = (parts.get(name, "") for name in VERSION_PARTS)
    return ".".join(part for part in (version, patch, sub) if part) + extra


def configuration_digest(content):
    """SHA-256 of what is set, whatever the comments around it say."""
    lines = sorted(line.strip() for line in content.splitlines() if line.startswith(b"CONFIG_"))
    return hashlib.sha256(b"\n".join(lines)).hexdigest() if lines else None


def read_configuration(path):
    try:
        content = read_bytes(path)
        return gzip.decompress(content) if path.endswith(".gz") else content
    except (OSError, EOFError):
        return b""


def kernel(settings):
    """({"release", "configuration"}, whether it is that of its sources): of the sources that modules
    are built for, or where there are none of the kernel that runs."""
    sources, output = kernel_folders(settings)
    release = (first_line(os.path.join(output, "include", "config", "kernel.release"))
               or release_of_makefile(os.path.join(sources, "Makefile")))
    if release:
        content = read_configuration(os.path.join(output, ".config"))
        return {"release": release, "configuration": configuration_digest(content)}, True
    release = os.uname().release
    places = ("/proc/config.gz", "/boot/config-" + release, "/lib/modules/{}/config".format(release))
    found = (configuration_digest(read_configuration(path)) for path in places)
    return {"release": release, "configuration": next(filter(None, found), None)}, False
