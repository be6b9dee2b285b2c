# Looks whether a machine is well, on the machine itself.
#
# Standard input: a JSON list of checks, each {"name", "tries", "pause", "timeout", "steady"} (seconds) and one of
#   {"command": SHELL}  {"tcp": [HOST, PORT]}  {"http": URL, "status": N}  {"service": NAME}
# All are tried at once, since each may wait. Prints {NAME: null where all is well, else what is not}.
import json
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request

LENGTH = 400
# For what ends a try in time by itself.
MARGIN = 2


def shortened(words):
    words = " ".join(words.split())
    return words if len(words) <= LENGTH else words[:LENGTH] + " ..."


def run(arguments, timeout):
    """What is wrong with a command: nothing where it ends with 0. All that it has begun ends with it, but
    for what has left its group, such as a service that it restarts: that may hold the output open."""
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(
            arguments,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            process.wait(timeout)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, 9)
            process.wait()
            return "it took longer than %g s" % timeout
        if process.returncode == 0:
            return None
        output.seek(0)
        said = shortened(output.read(4 * LENGTH).decode("utf-8", "replace"))
    return "it ended with %d%s" % (process.returncode, said and ": " + said)


def service(name, timeout):
    if os.path.isdir("/run/systemd/system"):
        return run(["systemctl", "is-active", name], timeout)
    return run(["rc-service", name, "status"], timeout)


def tcp(host, port, timeout):
    try:
        socket.create_connection((host, port), timeout).close()
    except OSError as error:
        return "%s port %d: %s" % (host, port, error)


class Unfollowed(urllib.request.HTTPRedirectHandler):
    """A status that sends elsewhere is a status."""

    def redirect_request(self, *_):
        return None


def http(url, status, timeout):
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), Unfollowed)
    try:
        with opener.open(url, timeout=timeout) as answer:
            found = answer.status
    except urllib.error.HTTPError as error:
        found = error.code
    except (OSError, ValueError) as error:
        return "%s: %s" % (url, error)
    return None if found == status else "%s has status %d" % (url, found)


def once(check):
    timeout = check["timeout"]
    if "command" in check:
        return run(["/bin/sh", "-c", check["command"]], timeout)
    if "service" in check:
        return service(check["service"], timeout)
    if "tcp" in check:
        return tcp(check["tcp"][0], check["tcp"][1], timeout)
    return http(check["http"], check["status"], timeout)


def in_time(check):
    """One try, which may take no longer than it may, whatever of it has no limit of its own: names and
    headers come as slowly as somebody likes."""
    wrong = ["it took longer than %g s" % check["timeout"]]

    def look():
        try:
            wrong[0] = once(check)
        except Exception as error:
            wrong[0] = "it cannot be looked at: %s" % error

    thread = threading.Thread(target=look, daemon=True)
    thread.start()
    thread.join(check["timeout"] + MARGIN)
    return wrong[0]


def tried(check):
    for left in range(check["tries"] - 1, -1, -1):
        wrong = in_time(check)
        if wrong is None or left == 0:
            return wrong and shortened(wrong)
        time.sleep(check["pause"])


def steadily(check):
    """What goes well must do so for a while."""
    begin = time.monotonic()
    wrong = tried(check)
    end = time.monotonic() + check["steady"]
    while wrong is None and time.monotonic() < end:
        time.sleep(max(0, min(check["pause"], end - time.monotonic())))
        wrong = tried(check)
        if wrong is not None:
            wrong = "it went well at first, and no more after %d s: %s" % (time.monotonic() - begin, wrong)
    return wrong


def main():
    checks = json.load(sys.stdin)
    found = {}

    def look(check):
        found[check["name"]] = steadily(check)

    threads = [threading.Thread(target=look, args=(check,)) for check in checks]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    json.dump(found, sys.stdout)


main()
