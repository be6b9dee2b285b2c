# Runs a program and kills it before it changes a file, or calls another program, for the nth time: for
# tests of what a death in the middle leaves.
#
# Arguments: the first one of the program, n, the program.
import os
import signal
import subprocess
import sys

left = int(sys.argv[2])


def killing(change):
    def changed(*arguments, **named):
        global left
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        left -= 1
        return change(*arguments, **named)

    return changed


for name in ("unlink", "rename", "rmdir", "makedirs", "chmod", "chown", "fsync", "sync"):
    setattr(os, name, killing(getattr(os, name)))
subprocess.run = killing(subprocess.run)
exec(sys.argv[3])
