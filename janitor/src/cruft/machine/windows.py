# When the run's own programs could change the machine.

# How much the clocks of the log, of the shell and of a file system differ, in seconds.
SLACK = 1.5
MERGE = re.compile(rb"^(\d+): +(?:=== \(\d+ of \d+\) Merging|=== Unmerging)")
OVER = re.compile(rb"^(\d+): +(?:>>> emerge \(|\*\*\* terminating)")


def between(words, now):
    """The times between `begin` and `end` in rows of a word and a time. What was killed has told no end:
    it was over when the next began, since all of them hold the machine's lock."""
    windows, begun = [], None
    for word, when in words:
        if begun is not None:
            windows.append((begun, when))
        begun = when if word == "begin" else None
    if begun is not None:
        windows.append((begun, now))
    return windows


def merges(log):
    """The times in which emerge put packages on the machine or took them away, by its log: from the
    first word of that to the next package or the end of emerge, which brings caches up to date."""
    spans, begun, last = [], None, None
    for line in log:
        number = line.partition(b":")[0]
        if number.isdigit():
            last = int(number)
        if MERGE.match(line):
            begun = last if begun is None else begun
        elif begun is not None and OVER.match(line):
            spans.append((begun, last))
            begun = None
    if begun is not None:
        spans.append((begun, float("inf")))
    return spans


def holds(windows, seconds):
    return any(begin - SLACK <= seconds <= end + SLACK for begin, end in windows)


def of_run(place, wanted, now):
    """When files of the run could come: while it built on the machine and while it cleaned. Where
    Portage's sandbox keeps what is compiled from writing elsewhere, only while packages came and went."""
    builds, rows = place.run + b"/builds", []
    for name in listed(builds):
        folder = os.path.join(builds, name)
        # What a build has left says when it began and ended.
        for word, file in (("begin", b"before"), ("end", b"after")):
            written = written_at(os.path.join(folder, file))
            rows += [(word, written)] if written else []
    cleaning = noted(os.path.join(place.run, b"cleaning"))
    windows = between(sorted(rows + cleaning, key=lambda row: row[1]), now)
    if not wanted.get("sandbox"):
        return windows
    spans = between(cleaning, now)
    for name in listed(builds):
        try:
            with open(os.path.join(builds, name, b"emerge.log"), "rb") as log:
                spans += common(merges(log), windows)
        except FileNotFoundError:
            # It has put nothing on the machine.
            continue
    return spans


def common(some, others):
    """The times that are in both."""
    both = ((max(a, c), min(b, d)) for a, b in some for c, d in others)
    return [(begin, end) for begin, end in both if begin <= end]


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
