# Signs binaries by Portage's own means. index.py of the stores stands above this.
#
# Arguments: the folder whose index is brought up to date, or nothing; the home of the keys; the
# fingerprint of the key. Standard input: a list of {"from", "to", "sha256", "as_of"}, in JSON. A file is copied
# from one place to another and signed there; where both are one it is signed where it is. A copy
# counts only when it has the SHA-256; where none is given it is not looked at. What is signed already is
# signed anew only when its signature is good by a key of this home; at the time `as_of`, in seconds since
# 1970, where one is given.
#
# Prints a line of JSON for each: {"to", "by", "size", "sha256", "md5", "sha1", "mtime"}, or {"to", "error"}.
# Exit codes: 32 the index cannot be understood, 52 nothing can be signed, 55 this Portage cannot sign.
import hashlib
import json
import shutil

try:
    import portage

    portage._internal_caller = True
    from portage import gpkg

    gpkg.gpkg.update_signature
except (ImportError, AttributeError):
    version = getattr(sys.modules.get("portage"), "VERSION", "(which is missing)")
    fail(55, "Portage %s signs no binaries: 3.0.38 and later do" % version)


def settings_of(home, key, as_of):
    settings = portage.config(clone=portage.settings)
    settings.unlock()
    gpg = shutil.which("gpg")
    at = "" if as_of is None else " --faked-system-time %d!" % as_of
    # Whatever the machine signs otherwise, or trusts otherwise, is none of this. Where a key has a
    # passphrase it is an error, and nobody waits for one.
    settings["BINPKG_GPG_SIGNING_BASE_COMMAND"] = (
        gpg + " --no-options --pinentry-mode error --sign --armor [PORTAGE_CONFIG]"
    )
    settings["BINPKG_GPG_SIGNING_DIGEST"] = "SHA512"
    settings["BINPKG_GPG_SIGNING_GPG_HOME"] = home
    settings["BINPKG_GPG_SIGNING_KEY"] = key + "!"
    settings["BINPKG_GPG_VERIFY_BASE_COMMAND"] = (
        gpg + at + " --no-options --verify --batch --no-tty --no-auto-check-trustdb --status-fd 2"
        " [PORTAGE_CONFIG] [SIGNATURE]"
    )
    settings["BINPKG_GPG_VERIFY_GPG_HOME"] = home
    settings["GPG_VERIFY_USER_DROP"] = settings["GPG_VERIFY_GROUP_DROP"] = ""
    return settings


def digests(path):
    hashes = {name: hashlib.new(name) for name in ("sha256", "md5", "sha1")}
    with open(path, "rb") as file:
        for block in iter(lambda: file.read(1 << 20), b""):
            for one in hashes.values():
                one.update(block)
        # It is on the disk before anybody is told of it.
        os.fsync(file.fileno())
        about = os.fstat(file.fileno())
    found = {name: one.hexdigest() for name, one in hashes.items()}
    return dict(found, size=about.st_size, mtime=int(about.st_mtime))


def sign(home, key, request):
    place = request["to"]
    if request["from"] != place:
        shutil.copyfile(request["from"], place)
        if request["sha256"] is not None and digests(place)["sha256"] != request["sha256"]:
            raise OSError("it has other content than it was stored with")
    settings = settings_of(home, key, request["as_of"])
    gpkg.gpkg(settings=settings, gpkg_file=place).update_signature()
    return dict(digests(place), to=place, by=key)


def main(pkgdir, home, key):
    requests = json.load(sys.stdin)
    done = []
    for request in requests:
        try:
            done.append(sign(home, key, request))
        except (OSError, portage.exception.PortageException) as error:
            words = "%s: %s" % (type(error).__name__, error)
            done.append({"to": request["to"], "error": words})
    if pkgdir:
        files = {os.path.relpath(one["to"], pkgdir): one for one in done if "error" not in one}
        header, entries = read_index(pkgdir)
        entries = [
            renewed(entry, files[path_of(entry)]) if path_of(entry) in files else entry
            for entry in entries
        ]
        if header is not None:
            write_index(pkgdir, header, entries)
    # What Portage and gpg say goes the other way.
    for one in done:
        os.write(answers, (json.dumps(one) + "\n").encode())


# Portage prints what gpg says, in part to standard output.
answers = os.dup(1)
os.dup2(2, 1)
main(*sys.argv[1:])
