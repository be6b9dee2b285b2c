# Prints which of the binaries whose paths it reads, a line each, builders have said that they put
# there: DIGEST CPV BUILD_ID SIZE SHA256 PATH. The functions of notes.py stand above this.
#
# Argument: the store. Exit code 40: the store cannot be read.
import json
import os
import sys

try:
    for line in sys.stdin:
        for digest, note in notes_of(sys.argv[1], line.rstrip("\n")):
            binary = note["binary"]
            words = [binary.get(name) for name in ("cpv", "build_id", "size", "sha256", "path")]
            print(digest, *words)
except OSError as error:
    sys.exit("the numbers of binaries cannot be read: %s" % error)
