# Notes which protected files nobody has edited since the packages came that own them. The functions of
# state.py stand above this.
#
# Argument: the folder of the run, in which ours.json gets the list. It is made once for a way back: later
# the owners are others.


def main():
    folder = sys.argv[1]
    path = os.path.join(folder, "ours.json")
    if os.path.exists(path):
        return
    protected = protection()
    was = before(folder)
    ours = set()
    for cpv in set(was["packages"]) | set(was["brought"]) | set(was["ordered"]):
        for place, line in contents(cpv).items():
            there = found(place)
            digest = digest_in(line)
            if there and digest and there[-1] == digest and protected.isprotected(place):
                ours.add(place)
    write_document(path, sorted(ours))


try:
    main()
except OSError as error:
    fail(30, "%s" % error)
