# Makes the manifest of a machine before the first build of a run on it; see files.py.
#
# Argument: what is wanted, as JSON: {"state", "run", "folders", "left_out"}.
# It is kept as STATE/runs/RUN/manifest, and as STATE/manifest, by which the next one is made sooner.


def compressed(walk, header):
    packer = zlib.compressobj(1)
    yield packer.compress(json.dumps(header).encode())
    for _, block in walk.blocks():
        yield packer.compress(b"\0\0" + block)
    yield packer.flush()


def make(wanted):
    place = Place(wanted)
    newest, own = os.path.join(place.state, b"manifest"), os.path.join(place.run, b"manifest")
    if os.path.exists(own):
        return
    former = None
    try:
        former = Manifest.load(newest)
    except FileNotFoundError:
        pass
    except (OSError, ValueError, zlib.error) as error:
        print("the manifest of a former run cannot be used, all files are read: %s" % error)
    begun = time.time_ns()
    header = {"format": FORMAT, "begun": begun, "accounts": accounts()}
    walk = Walk(place, former)
    os.makedirs(place.run, exist_ok=True)
    write_whole(own, compressed(walk, header))
    link = newest + b".part"
    try:
        os.unlink(link)
    except FileNotFoundError:
        pass
    os.link(own, link)
    os.rename(link, newest)
    took = (time.time_ns() - begun) / SECOND
    print("%d files, %d of them read, in %.1f s" % (walk.found, walk.read, took))


if __name__ == "__main__" and len(sys.argv) == 2:
    try:
        make(json.loads(sys.argv[1]))
    except OSError as problem:
        print("no manifest could be made: %s" % problem)
        sys.exit(1)
