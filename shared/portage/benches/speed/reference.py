"""What Portage's own library makes of the lines on standard input, and how long it takes.

Prints the seconds of processor time of the best round, and a number that says what was found. Portage keeps the
results of some functions; each line is given once a round, and what it keeps is dropped between.
"""

import io
import sys
import time

from portage.dep import Atom, use_reduce
from portage.getbinpkg import PackageIndex
from portage.versions import vercmp

ENABLED = frozenset(["X", "dbus", "nls", "ssl"])
ROUNDS = 3


def lower_versions(lines):
    return sum(vercmp(*line.split()) < 0 for line in lines)


def reached_atoms(lines):
    found = 0
    for line in lines:
        words = use_reduce(line, uselist=ENABLED, eapi="8", flat=True, token_class=Atom)
        found += sum(isinstance(word, Atom) for word in words)
    return found


def atoms(lines):
    return sum(bool(Atom(line, eapi="8")) for line in lines)


def entries(lines):
    index = PackageIndex()
    index.read(io.StringIO("\n".join(lines)))
    return len(index.packages)


TASKS = {"vercmp": lower_versions, "use_reduce": reached_atoms, "atom": atoms, "index": entries}


def main():
    task = TASKS[sys.argv[1]]
    lines = sys.stdin.read().split("\n")
    best = None
    for _ in range(ROUNDS):
        for function in (vercmp, use_reduce):
            if hasattr(function, "cache_clear"):
                function.cache_clear()
        start = time.process_time()
        result = task(lines)
        seconds = time.process_time() - start
        best = seconds if best is None else min(best, seconds)
    print(f"{best:.6f} {result}")


main()
