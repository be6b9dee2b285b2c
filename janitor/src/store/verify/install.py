# Does with each binary of an index what Portage does before it merges one, for the tests: its digests are
# compared, and it is unpacked. Prints how many there are.
import os
import tempfile

import portage
from portage.checksum import verify_all
from portage.gpkg import gpkg

tree = portage.db[portage.root]["bintree"]
tree.populate()
binaries = tree.dbapi.cpv_all()
for binary in binaries:
    path = tree.getname(binary)
    # As _emerge/BinpkgVerifier.py asks for them.
    digests = tree._get_digests(binary)
    is_good, reason = verify_all(path, digests)
    if not digests or not is_good:
        raise SystemExit("%s is not as the index says: %s" % (path, reason))
    with tempfile.TemporaryDirectory() as place:
        gpkg(tree.settings, binary, path).decompress(place)
        if not os.listdir(place):
            raise SystemExit("%s holds nothing" % binary)
print(len(binaries))
