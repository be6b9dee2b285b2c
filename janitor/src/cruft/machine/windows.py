# When the run's own programs could change the machine.

# How much the clocks of the log, of the shell and of a file system differ, in seconds.
SLACK = 1.5
# With the package that comes, or the one that goes.
MERGE = re.compile(rb"^\d+: +=== (?:\(\d+ of \d+\) Merging(?: Binary)? \((.+?)::.*\)"
                   rb"|Unmerging\.\.\. \((.+)\))$")
OVER = re.compile(rb"^\d+: +(?:>>> emerge \(|\*\*\* terminating)")


class Times:
    """The times in which files of the run could come, and within these the times of others: in which
    packages came that are still there."""

    def __init__(self, own, others=()):
        self.own, self.others = own, others

    def hold(self, seconds):
        if not any(begin - SLACK <= seconds <= end + SLACK for begin, end in self.own):
            return False
        # The log tells whole seconds.
        return not any(begin <= seconds < end + 1 for begin, end in self.others)


def noted_times(rows):
    """The times between a `begin` and its `end`, in rows of a word and a time. Who was killed has told no
    end, and nobody knows when that was: it is no time."""
    times, begun = [], None
    for word, when in rows:
        if word == "end" and begun is not None:
            times.append((begun, when))
        begun = when if word == "begin" else None
    return times


def merges(log):
    """The times in which emerge put packages on the machine or took them away, with the packages, by the
    lines of its log: from the first word of a package to the next one, or to the end of emerge, which
    brings caches up to date. What a package takes the place of goes in its time."""
    spans, begun, last, names = [], None, None, set()
    for line in log:
        number = line.partition(b":")[0]
        if number.isdigit():
            last = int(number)
        found = MERGE.match(line.rstrip(b"\n"))
        comes, goes = found.groups() if found else (None, None)
        if begun is not None and (comes or OVER.match(line)):
            spans.append((begun, last, names))
            begun, names = None, set()
        if found:
            begun = last if begun is None else begun
            names.add(comes or goes)
    if begun is not None:
        spans.append((begun, float("inf"), names))
    return spans


def of_runs(place, wanted):
    """When files of the runs could come: while they built on the machine, and while packages were removed
    after them. Where Portage's sandbox keeps what is compiled from writing elsewhere, only while packages
    came and went. What came with a package that is there belongs to it, whoever installed it."""
    installed = {name for name, _ in packages(place)}
    own, others = [], []
    for run in place.runs:
        own += noted_times(noted(os.path.join(run, b"cleaning")))
        builds = os.path.join(run, b"builds")
        for name in listed(builds):
            window, log = of_build(os.path.join(builds, name))
            if not window:
                continue
            spans = [(both, names) for begin, end, names in merges(log)
                     for both in common((begin, end), window)]
            others += [span for span, names in spans if names & installed]
            own += [span for span, _ in spans] if wanted.get("sandbox") else [window]
    return Times(own, others)


def of_build(folder):
    """When a build worked, by what it has left, and the lines of its log. One that was killed told no
    end: the last that is known of it is that it wrote its log."""
    begun, ended = (written_at(os.path.join(folder, name)) for name in (b"before", b"after"))
    try:
        with open(os.path.join(folder, b"emerge.log"), "rb") as file:
            log = list(file)
    except FileNotFoundError:
        # It has put nothing on the machine.
        log = []
    if begun is None:
        return None, log
    if ended is None:
        ended = written_at(os.path.join(folder, b"emerge.log")) or begun
    return (begun, ended), log


def common(one, other):
    """The time that is in both, as a list: there may be none."""
    begin, end = max(one[0], other[0]), min(one[1], other[1])
    return [(begin, end)] if begin <= end else []


def written_at(path):
    try:
        return os.stat(path).st_mtime
    except FileNotFoundError:
        return None


def noted(path):
    """The rows of a file of lines `WORD SECONDS`."""
    try:
        with open(path, "rb") as file:
            words = [line.split() for line in file]
    except FileNotFoundError:
        return []
    return [(row[0].decode(), float(row[1])) for row in words if len(row) == 2]
