# Verifies binaries as Portage would when it installs them, and changes nothing.
#
# Standard input: the paths of the binaries, as a list in JSON. Prints a line of JSON for each:
# {"path", "refused": null or the name of Portage's exception, "words", "status": [what gpg said]}
# Exit code 55: this Portage verifies none.
import json
import sys
import os

answers = os.dup(1)
# Portage prints what gpg says.
os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
try:
    import portage

    portage._internal_caller = True
    from portage import gpkg
except ImportError:
    sys.stderr.write("this Portage knows no signatures: 3.0.31 and later do\n")
    sys.exit(55)

said = []


class Watched(gpkg.checksum_helper):
    """Keeps what gpg says, which Portage only prints."""

    def finish(self):
        try:
            super().finish()
        finally:
            if self.gpg_result:
                said.extend(self.gpg_result.decode("utf-8", "replace").splitlines())
                self.gpg_result = b""


gpkg.checksum_helper = Watched


def verify(path):
    del said[:]
    package = gpkg.gpkg(settings=portage.settings, gpkg_file=path)
    package.request_signature = package.verify_signature = True
    try:
        package._verify_binpkg()
        refused, words = None, ""
    # Whatever it is, it would end the installation as well.
    except Exception as error:
        refused, words = type(error).__name__, str(error)
    return {"path": path, "refused": refused, "words": words, "status": list(said)}


for path in json.load(sys.stdin):
    # What they print on the way is not the answer.
    sys.stdout.flush()
    os.write(answers, (json.dumps(verify(path)) + "\n").encode())
