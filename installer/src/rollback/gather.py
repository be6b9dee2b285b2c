# Brings all binaries that may be needed to put a machine back into one folder. The functions of state.py
# stand above this.
#
# Argument: the folder of the run. What was made into binaries is linked into its folder "all", and what the
# store has is copied there: Portage takes no symbolic links. Prints what was installed before the run, and after it where that was kept:
#   {"before": {CPV: build}, "after": {CPV: build}, "brought": [CPV], "ordered": [CPV], "slots": {CPV: …},
#    "gone": [files of the store that are not there any more]}
# with builds as [BUILD_ID, BUILD_TIME]. Exit codes: 20 nothing was kept of this run, 30 it cannot be done.
import shutil


def bring(source, place):
    os.makedirs(os.path.dirname(place), exist_ok=True)
    try:
        os.link(source, place)
    except OSError:
        shutil.copy2(source, place)


def main():
    folder = sys.argv[1]
    was = before(folder)
    after = document_at(os.path.join(folder, "after.json"))
    all_of_it = os.path.join(folder, "all")
    shutil.rmtree(all_of_it, ignore_errors=True)
    os.makedirs(all_of_it)
    gone = []
    for other in runs_from(folder):
        made = os.path.join(other, "packages")
        for place, _, names in os.walk(made):
            for name in names:
                path = os.path.relpath(os.path.join(place, name), made)
                if path.endswith((".gpkg.tar", ".xpak", ".tbz2")):
                    target = os.path.join(all_of_it, path)
                    if not os.path.lexists(target):
                        bring(os.path.join(place, name), target)
        for name in ("before.json", "after.json"):
            document = document_at(os.path.join(other, name)) or {"stored": {}}
            for cpv, (store, path) in document["stored"].items():
                target = os.path.join(all_of_it, path)
                if not os.path.exists(os.path.join(store, path)):
                    gone.append(os.path.join(store, path))
                elif not os.path.lexists(target):
                    bring(os.path.join(store, path), target)
    builds = lambda packages: {
        cpv: [state["BUILD_ID"], state["BUILD_TIME"]] for cpv, state in packages.items()
    }
    needs = lambda packages: {
        cpv: [state["SLOT"], state["RDEPEND"] or ""] for cpv, state in packages.items()
    }
    json.dump(
        {
            "before": builds(was["packages"]),
            "after": builds(after["packages"]) if after else {},
            "brought": was["brought"],
            "ordered": was["ordered"],
            "needs_before": needs(was["packages"]),
            "needs_after": needs(after["packages"]) if after else {},
            "gone": gone,
        },
        sys.stdout,
    )


try:
    main()
except OSError as error:
    fail(30, "%s" % error)
