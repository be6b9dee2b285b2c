# Tells what the records of a store say of signatures.
#
# Arguments: the store; how many to name at most; the digest of a key behind which to begin, or nothing;
# then whose binaries are named: `unsigned`, or the fingerprints of keys.
#
# Prints a line of JSON for each, in the order of digests: {"digest", "path", "sha256", "size", "by"}, and last
# {"signed": {FINGERPRINT: N}, "unsigned": N} of the whole store. Records that cannot be read are left out.
import json
import os
import sys

store, most, behind, *whose = sys.argv[1:]
keys = os.path.join(store, ".gentoo-updater", "keys")
signed, unsigned, named = {}, 0, 0
try:
    names = sorted(os.listdir(keys))
except FileNotFoundError:
    names = []
for name in names:
    digest, end = os.path.splitext(name)
    if end != ".json":
        continue
    try:
        with open(os.path.join(keys, name), encoding="utf-8") as file:
            binary = json.load(file)["binary"]
        by = binary.get("signed_by")
        found = {"digest": digest, "by": by}
        found.update((name, binary[name]) for name in ("path", "sha256", "size"))
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        continue
    # The older form has no signatures.
    if not found["path"].endswith(".gpkg.tar"):
        continue
    if by is None:
        unsigned += 1
    else:
        signed[by] = signed.get(by, 0) + 1
    if named < int(most) and digest > behind and ("unsigned" if by is None else by) in whose:
        named += 1
        print(json.dumps(found))
print(json.dumps({"signed": signed, "unsigned": unsigned}))
