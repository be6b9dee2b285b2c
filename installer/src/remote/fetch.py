# Fetches ordered binaries and the index of a store into a folder of this machine.
#
# Standard input: a line of JSON, and this program. The line:
#   {"url": …, "authority": FILE or null, "folder": …, "files": [[PATH, SIZE, SHA-256], …]}
# What else lies in the folder goes. A binary is there when it has the size and the digest; until then
# it lies under its digest in .partial, from which a later call goes on.
#
# Prints {"outcome": "done", "files": N, "bytes": N} with what came over the network, or
# {"outcome": CAUSE, "what": …, "detail": …}.
import errno
import fcntl
import gzip
import hashlib
import http.client
import json
import os
import shutil
import socket
import sys
import time
import urllib.parse

BLOCK = 256 * 1024
# Seconds in which nothing comes.
SILENCE = 60
# How often a file is gone on with after the connection broke, without any byte of it in between.
TRIES = 4
# An index of a million packages is smaller.
LARGEST_INDEX = 1024 * 1024 * 1024


class Failed(Exception):
    def __init__(self, outcome, what, detail):
        super().__init__(detail)
        self.answer = {"outcome": outcome, "what": what, "detail": str(detail)}


class Broken(Exception):
    """The connection is of no use any more."""


def digest_of(path):
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        for block in iter(lambda: file.read(BLOCK), b""):
            digest.update(block)
    return digest.hexdigest()


def size_of(path):
    try:
        return os.stat(path).st_size
    except FileNotFoundError:
        return None


class Store:
    """A store behind one connection, which is opened again when it broke."""

    def __init__(self, url, authority):
        self.url = url
        parts = urllib.parse.urlsplit(url)
        self.path = parts.path.rstrip("/")
        if parts.scheme == "https":
            try:
                import ssl
            except ImportError as error:
                raise Failed("no_tls", url, error)
            # One authority alone, or those of this machine.
            context = ssl.create_default_context(cafile=authority)
            self.not_trusted = ssl.SSLCertVerificationError
            self.connection = http.client.HTTPSConnection(
                parts.hostname, parts.port, timeout=SILENCE, context=context
            )
        else:
            self.not_trusted = ()
            self.connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=SILENCE)

    def get(self, path, start=0):
        headers = {"User-Agent": "gentoo-updater"}
        if start:
            headers["Range"] = "bytes=%d-" % start
        try:
            self.connection.request("GET", self.path + "/" + urllib.parse.quote(path), headers=headers)
            response = self.connection.getresponse()
        except self.not_trusted as error:
            raise Failed("not_trusted", self.url, error.verify_message)
        except (OSError, http.client.HTTPException) as error:
            self.connection.close()
            raise Broken(error)
        if response.status == 503:
            self.connection.close()
            raise Broken("503 %s" % response.reason)
        return response

    def read(self, response):
        try:
            return response.read(BLOCK)
        except (OSError, http.client.HTTPException) as error:
            self.connection.close()
            raise Broken(error)

    def refuse(self, response, path):
        """Gives up a file whose answer is none of it."""
        self.connection.close()
        outcome = "missing" if response.status in (404, 410) else "refused"
        raise Failed(outcome, path, "%d %s" % (response.status, response.reason))

    def persistently(self, step, path):
        """Calls `step` until it gets through; as long as it gets on, however often the line breaks."""
        left = TRIES
        while True:
            try:
                return step()
            except Broken as broken:
                if getattr(broken, "got_on", False):
                    left = TRIES
                    continue
                left -= 1
                if left == 0:
                    raise Failed("away", path, broken)
                # Who is not there, or has too many clients, is given time: 1, 2 and 4 s.
                time.sleep(2 ** (TRIES - 1 - left))


class Binary:
    def __init__(self, folder, path, size, sha256):
        self.path, self.size, self.sha256 = path, size, sha256
        self.place = os.path.join(folder, path)
        self.partial = os.path.join(folder, ".partial", sha256)
        self.bytes = 0

    def is_there(self):
        return size_of(self.place) == self.size and digest_of(self.place) == self.sha256

    def fetch(self, store):
        begun = bool(size_of(self.partial))
        store.persistently(lambda: self.go_on(store), self.path)
        found = digest_of(self.partial)
        if found != self.sha256 and begun:
            # What lay there from before may be of another file, or damaged.
            os.unlink(self.partial)
            store.persistently(lambda: self.go_on(store), self.path)
            found = digest_of(self.partial)
        if found != self.sha256:
            os.unlink(self.partial)
            raise Failed("differs", self.path, "SHA-256 %s" % found)
        os.makedirs(os.path.dirname(self.place), exist_ok=True)
        os.rename(self.partial, self.place)

    def go_on(self, store):
        start = size_of(self.partial) or 0
        if start > self.size:
            os.unlink(self.partial)
            start = 0
        if start == self.size:
            return
        response = store.get(self.path, start)
        if response.status == 206:
            wanted = "bytes %d-%d/%d" % (start, self.size - 1, self.size)
            found = response.headers.get("Content-Range")
            if found != wanted:
                store.connection.close()
                raise Failed("differs", self.path, "%s and not %s" % (found, wanted))
        elif response.status == 200:
            start = 0
            length = response.headers.get("Content-Length")
            if length != str(self.size):
                store.connection.close()
                raise Failed("differs", self.path, "%s bytes" % length)
        elif response.status == 416:
            store.connection.close()
            raise Failed("differs", self.path, "fewer than %d bytes" % self.size)
        else:
            store.refuse(response, self.path)
        came = 0
        with open(self.partial, "r+b" if start else "wb") as file:
            file.seek(start)
            try:
                while start + came < self.size:
                    block = store.read(response)
                    if not block:
                        store.connection.close()
                        raise Broken("it ended after %d of %d bytes" % (start + came, self.size))
                    file.write(block)
                    came += len(block)
            except Broken as broken:
                broken.got_on = came > 0
                raise
            finally:
                self.bytes += came
        # The end of the answer, after which the connection takes another request.
        store.read(response)


def fetch_index(store, folder):
    for name in ("Packages.gz", "Packages"):
        response = store.get(name)
        if response.status == 404 and name == "Packages.gz":
            while store.read(response):
                pass
            continue
        if response.status != 200:
            store.refuse(response, name)
        new = os.path.join(folder, ".partial", "Packages")
        came = 0
        length = response.headers.get("Content-Length")
        with open(new, "wb") as file:
            for block in iter(lambda: store.read(response), b""):
                came += len(block)
                if came > LARGEST_INDEX:
                    raise Failed("refused", name, "it has more than %d bytes" % LARGEST_INDEX)
                file.write(block)
        if length is not None and came != int(length):
            store.connection.close()
            raise Broken("it ended after %d of %s bytes" % (came, length))
        if name == "Packages.gz":
            unpack(new)
        os.rename(new, os.path.join(folder, "Packages"))
        return came


def unpack(path):
    unpacked = 0
    try:
        with gzip.open(path, "rb") as packed, open(path + ".unpacked", "wb") as file:
            for block in iter(lambda: packed.read(BLOCK), b""):
                unpacked += len(block)
                if unpacked > LARGEST_INDEX:
                    raise Failed("refused", "Packages.gz", "it is too large when it is unpacked")
                file.write(block)
    except (EOFError, gzip.BadGzipFile) as error:
        raise Failed("refused", "Packages.gz", error)
    os.rename(path + ".unpacked", path)


def remove_others(folder, binaries):
    """What an order before this one wanted."""
    kept = {binary.place for binary in binaries} | {binary.partial for binary in binaries}
    kept.add(os.path.join(folder, ".lock"))
    for place, folders, files in os.walk(folder, topdown=False):
        for name in files:
            path = os.path.join(place, name)
            if path not in kept:
                os.unlink(path)
        if place != folder and not os.listdir(place):
            os.rmdir(place)


def fetch(url, authority, folder, files):
    os.makedirs(folder, mode=0o755, exist_ok=True)
    with open(os.path.join(folder, ".lock"), "w") as lock:
        # A call whose connection was lost may still be at it.
        fcntl.flock(lock, fcntl.LOCK_EX)
        binaries = [Binary(folder, *file) for file in files]
        remove_others(folder, binaries)
        os.makedirs(os.path.join(folder, ".partial"), exist_ok=True)
        store = Store(url, authority)
        wanted = [binary for binary in binaries if not binary.is_there()]
        for binary in wanted:
            binary.fetch(store)
        # Last: it names all that was there before it.
        came = store.persistently(lambda: fetch_index(store, folder), "Packages")
        shutil.rmtree(os.path.join(folder, ".partial"))
        came += sum(binary.bytes for binary in wanted)
        return {"outcome": "done", "files": len(wanted), "bytes": came}


def main(request):
    os.umask(0o022)
    try:
        answer = fetch(**request)
    except Failed as failed:
        answer = failed.answer
    except OSError as error:
        is_full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        answer = {"outcome": "full" if is_full else "not_written", "what": request["folder"], "detail": str(error)}
    print(json.dumps(answer))


main(request)
