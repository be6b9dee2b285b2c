"""Prints the dependency variables of every ebuild of repositories, as Portage's own API gives them.

    ebuilds.py SCRATCH REPOSITORY...

SCRATCH is an empty folder for configuration, cache and temporary files. Each line printed is a JSON
object: cpv, EAPI, IUSE and the variables. Ebuilds that two of the repositories share are read once.
Needs no root: everything runs as the user who starts it.
"""

import grp
import json
import os
import pwd
import sys

VARIABLES = ["DEPEND", "RDEPEND", "BDEPEND", "PDEPEND", "IDEPEND"]
VARIABLES += ["REQUIRED_USE", "LICENSE", "RESTRICT", "PROPERTIES", "SRC_URI"]

scratch, *repositories = sys.argv[1:]
environment = {
    "PATH": os.environ["PATH"],
    "ROOT": scratch,
    "PORTAGE_TMPDIR": scratch,
    "PORTAGE_USERNAME": pwd.getpwuid(os.getuid()).pw_name,
    "PORTAGE_GRPNAME": grp.getgrgid(os.getgid()).gr_name,
    "FEATURES": "-sandbox -usersandbox -userpriv",
}
os.environ.clear()
os.environ.update(environment)
os.makedirs(f"{scratch}/etc/portage")
with open(f"{scratch}/etc/portage/make.conf", "w", encoding="utf-8"):
    pass

import portage  # noqa: E402

seen = set()
for number, repository in enumerate(repositories):
    profile = f"{scratch}/etc/portage/make.profile"
    if os.path.lexists(profile):
        os.unlink(profile)
    with open(f"{repository}/profiles/profiles.desc", encoding="utf-8") as lines:
        os.symlink(f"{repository}/profiles/{lines.readline().split()[1]}", profile)
    settings = portage.config(
        config_root=scratch,
        target_root=scratch,
        env={
            **environment,
            "PORTAGE_DEPCACHEDIR": f"{scratch}/cache-{number}",
            "PORTAGE_REPOSITORIES": f"[DEFAULT]\nmain-repo=gentoo\n[gentoo]\nlocation={repository}\n",
        },
    )
    database = portage.portdbapi(mysettings=settings)
    for cp in database.cp_all():
        for cpv in database.cp_list(cp):
            with open(database.findname(cpv), encoding="utf-8") as ebuild:
                identity = (str(cpv), ebuild.read())
            if identity in seen:
                continue
            seen.add(identity)
            names = ["EAPI", "IUSE", *VARIABLES]
            values = database.aux_get(cpv, names)
            print(json.dumps({"cpv": str(cpv), **dict(zip(names, values))}), flush=True)
