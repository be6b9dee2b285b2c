# Forgets what was kept for former runs. The functions of state.py stand above this.
#
# Arguments: the folder of this run, and of how many runs that is kept, this one among them. A run counts as
# one with its further rounds, whose ids follow one another by a millisecond.
import shutil


def time_of(run):
    """The first 48 bits of a UUIDv7: milliseconds."""
    return int(run.replace("-", "")[:12], 16)


def in_rounds(runs):
    groups = []
    for run in sorted(runs):
        if groups and time_of(run) - time_of(groups[-1][-1]) <= 1:
            groups[-1].append(run)
        else:
            groups.append([run])
    return groups


def main():
    folder, kept = sys.argv[1], int(sys.argv[2])
    parent, own = os.path.split(folder)
    is_whole = lambda name: os.path.exists(os.path.join(parent, name, "before.json"))
    groups = in_rounds(name for name in os.listdir(parent) if is_whole(name) or name == own)
    wanted = {run for group in groups[-kept:] for run in group} | {own}
    # What is left of runs that kept nothing goes, too.
    for name in set(os.listdir(parent)) - wanted:
        shutil.rmtree(os.path.join(parent, name))


try:
    main()
except OSError as error:
    fail(30, "%s" % error)
