# Shows, restores and deletes the archives of a machine.
#
# Arguments: what is to be done, and what is wanted, as JSON:
#   list {"state"}                            all archives
#   show {"state", "run"}                     those of a run, with their paths
#   restore {"state", "run", "paths", "force", "dry_run"}   paths of a run, or all where it is null
#   purge {"state", "paths", "before", "dry_run"}           these, and those made before this time
# Prints one JSON document. A machine without archives has none, and gets no folder for them.


def list_all(archives, _):
    return {"archives": [describe(one) for one in archives.all()], "damaged": archives.damaged}


def show(archives, wanted):
    found = []
    for one in archives.of_run(wanted["run"]):
        entries = sorted(one.gone(), key=lambda entry: os.fsencode(entry["path"]))
        paths = [{"path": shown(entry["path"]), "size": entry["identity"][2],
                  "kind": KINDS.get(entry["identity"][0]), "restored": entry["state"] == RESTORED}
                 for entry in entries]
        found.append(dict(describe(one), paths=paths))
    return {"archives": found, "damaged": archives.damaged}


def restore(archives, wanted):
    own = archives.are_of_run(wanted["run"])
    restoration = Restoration(archives.place, own, wanted["paths"])
    told = {"unknown": restoration.unknown, "in_the_way": [], "restored": []}
    there, blocked = restoration.there(), restoration.blocked()
    told["in_the_way"] = [shown(path) for path in (there if not wanted["force"] else blocked)]
    if not wanted["force"]:
        told["in_the_way"] += [shown(path) for path in blocked if path not in there]
    if told["unknown"] or told["in_the_way"]:
        return told
    if wanted["dry_run"]:
        made = [path for path in sorted(restoration.chosen)
                if path in there or not os.path.lexists(archives.place.at(path))]
    else:
        made = restoration.carry_out() if restoration.chosen else []
    told["restored"] = [shown(path) for path in made]
    return told


def purge(archives, wanted):
    gone = []
    for one in archives.all():
        if os.fsdecode(one.file) not in wanted["paths"] and one.index["made"] >= wanted["before"]:
            continue
        if one.entries(ARCHIVED):
            # What was archived and is still on the machine is nobody's but the next cleaning's.
            continue
        gone.append(describe(one))
        if not wanted["dry_run"]:
            os.rename(one.path, one.path + UNFINISHED)
            shutil.rmtree(one.path + UNFINISHED)
    return {"archives": gone, "damaged": archives.damaged}


def answer(what, wanted):
    place = Place(dict(wanted, run=""))
    if not os.path.isdir(place.state + b"/cruft"):
        return restore_nothing(wanted) if what is restore else {"archives": []}
    with Archives(place) as archives:
        for one in archives.all():
            take_back(one)
        return what(archives, wanted)


def restore_nothing(wanted):
    return {"unknown": wanted["paths"] or [], "in_the_way": [], "restored": []}


if __name__ == "__main__" and len(sys.argv) == 3:
    ways = {"list": list_all, "show": show, "restore": restore, "purge": purge}
    try:
        print(json.dumps(answer(ways[sys.argv[1]], json.loads(sys.argv[2]))))
    except (Trouble, OSError, ValueError) as problem:
        print(problem, file=sys.stderr)
        sys.exit(1)
