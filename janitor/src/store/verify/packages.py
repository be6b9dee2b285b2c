# Makes binary packages by Portage's own API, for the tests: FOLDER PACKAGE…, where FOLDER is PKGDIR,
# and PACKAGE is CATEGORY/NAME-VERSION-BUILD_ID.
import os
import sys
import tempfile

import portage
from portage.gpkg import gpkg
from portage.versions import catpkgsplit

folder = sys.argv[1]
for package in sys.argv[2:]:
    cpv, build_id = package.rsplit("-", 1)
    category, name, version, revision = catpkgsplit(cpv)
    pf = cpv.split("/")[1]
    metadata = {
        "BUILD_ID": build_id,
        "BUILD_TIME": "1700000000",
        "CATEGORY": category,
        "DEFINED_PHASES": "-",
        "EAPI": "8",
        "IUSE": "ssl",
        "KEYWORDS": "amd64",
        "PF": pf,
        "SLOT": "0",
        "USE": "amd64 ssl",
        "repository": "test",
    }
    path = os.path.join(folder, category, name, "%s-%s.gpkg.tar" % (pf, build_id))
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with tempfile.TemporaryDirectory() as root:
        with open(os.path.join(root, name), "wb") as file:
            # Nothing that could be compressed: each part of the package is worth spoiling.
            file.write(os.urandom(20000))
        values = {key: value.encode() for key, value in metadata.items()}
        gpkg(portage.settings, cpv, path).compress(root, values)
