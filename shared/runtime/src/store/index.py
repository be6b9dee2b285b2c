# The index of a store, `Packages` and its packed copy: blocks of lines with an empty one between them,
# the first of which is a header (portage/getbinpkg.py, `PackageIndex`). Whoever changes it holds the
# store's lock, or is alone with it.
import gzip
import os
import re
import sys
import time

PATH_OF = re.compile(r"^PATH: *(.*)$", re.M)


def fail(code, words):
    sys.stderr.write("%s\n" % words)
    sys.exit(code)


def write_whole(path, content, like=None):
    """Writes a file, or replaces it; nobody ever sees a half one."""
    new = path + ".gentoo-updater"
    with open(new, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    if like is not None:
        os.chmod(new, like.st_mode & 0o7777)
        os.chown(new, like.st_uid, like.st_gid)
    os.rename(new, path)


def read_index(store):
    """Header and entries, or nothing where there is no index."""
    index = os.path.join(store, "Packages")
    try:
        with open(index, encoding="utf-8") as file:
            text = file.read()
    except FileNotFoundError:
        if os.path.exists(index + ".gz"):
            fail(32, "there is an index %s.gz and no %s" % (index, index))
        return None, []
    header, *entries = re.split(r"\n{2,}", text.strip("\n"))
    if not re.search(r"^PACKAGES: *\d+$", header, re.M):
        fail(32, "the index %s has no header that is understood" % index)
    return header, entries


def index_of(header, entries):
    """The content of an index that is written now."""
    header = re.sub(r"^PACKAGES:.*$", "PACKAGES: %d" % len(entries), header, flags=re.M)
    header = re.sub(r"^TIMESTAMP:.*$", "TIMESTAMP: %d" % int(time.time()), header, flags=re.M)
    return ("\n\n".join([header] + entries) + "\n\n").encode("utf-8")


def write_index(store, header, entries):
    index = os.path.join(store, "Packages")
    content = index_of(header, entries)
    like = os.stat(index)
    write_whole(index, content, like)
    if os.path.exists(index + ".gz"):
        write_whole(index + ".gz", gzip.compress(content, 9, mtime=0), like)


def path_of(entry):
    named = PATH_OF.search(entry)
    return named.group(1) if named else None


def renewed(entry, file):
    """The entry of a binary whose file has become another one. What the entry says of it Portage compares."""
    for name, value in (("MD5", "md5"), ("SHA1", "sha1"), ("SIZE", "size"), ("MTIME", "mtime")):
        entry = re.sub("^%s:.*$" % name, "%s: %s" % (name, file[value]), entry, flags=re.M)
    return entry
