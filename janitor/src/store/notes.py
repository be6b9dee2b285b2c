# What builders have written beside the numbers of binaries, before they put them into a store. The
# record of a binary lies there, too, so that it can be told whose it is when the record is lost.


def numbered(store, path):
    """The folder of the number of this binary, which its builder has reserved."""
    for end in (".gpkg.tar", ".xpak"):
        if path.endswith(end):
            return os.path.join(store, ".gentoo-updater", "build-ids", path[: -len(end)])
    return None


def notes_of(store, path):
    """The notes about this binary: pairs of the digest of a key, and the record of its binary."""
    folder = numbered(store, path)
    try:
        names = sorted(os.listdir(folder)) if folder else []
    except (FileNotFoundError, NotADirectoryError):
        return
    for name in names:
        digest, end = os.path.splitext(name)
        if end != ".json":
            continue
        try:
            with open(os.path.join(folder, name), encoding="utf-8") as file:
                note = json.load(file)
            # As record.rs writes it. What is written otherwise is another version's.
            if note["format"] == 1 and note["binary"]["path"] == path:
                yield digest, note
        except (ValueError, KeyError, TypeError, FileNotFoundError):
            continue


def forget(store, path, digest):
    """Takes away what its builder has written about a binary. Its number is not given again."""
    folder = numbered(store, path)
    try:
        if folder:
            os.unlink(os.path.join(folder, digest + ".json"))
    except FileNotFoundError:
        pass
