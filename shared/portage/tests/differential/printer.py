"""Prints lists of packages with the code of Portage that prints those of emerge.

Nothing is resolved: packages, installed packages and flags are what the test says. Only what stands
in the middle of `Display.__call__` and cannot be called alone is done again here: the order of the
parts of a row, and the counting.
"""

import contextlib
import io
from types import SimpleNamespace

import portage.output
from _emerge.resolver.output import Display
from _emerge.resolver.output_helpers import PkgInfo, _create_use_string
from portage.dep import Atom
from portage.localization import localized_size
from portage.versions import _pkg_str


def printed(rows, blocks, colours, alphabetical):
    portage.output.havecolor = int(colours)
    display = Display()
    display.quiet_repo_display = False
    display.conf = SimpleNamespace(
        verbosity=3, columns=False, quiet=False, all_flags=True, print_use_string=True,
        alphabetical=alphabetical,
    )
    display.print_msg = []
    for row in rows:
        display.print_msg.append(message(display, row))
    for block in blocks:
        parents = [SimpleNamespace(cpv=cpv) for cpv in block["by"]]
        display.conf.blocker_parents = SimpleNamespace(parent_nodes=lambda _, found=parents: found)
        display.indent = ""
        atom = Atom(block["atom"], allow_repo=True)
        display.counters.blocks += 1
        display.counters.blocks_satisfied += block["satisfied"]
        display._blockers(SimpleNamespace(atom=atom, satisfied=block["satisfied"]))
    stdout = io.StringIO()
    with contextlib.redirect_stdout(stdout):
        display.print_messages(False)
        display.print_blockers()
        display.print_verbose(False)
    return stdout.getvalue()


def message(display, row):
    """One row, and its part of the counters; as in `Display.__call__`."""
    counters, relation = display.counters, row["relation"]
    merge = row["kind"] in ("ebuild", "binary")
    package = SimpleNamespace(
        cpv=_pkg_str(row["cpv"], build_id=row["build_id"]),
        type_name=row["type"], slot=row["slot"], sub_slot=row["sub_slot"], repo=row["repo"],
    )
    info = PkgInfo()
    info.merge, info.operation = merge, row["kind"]
    info.slot, info.sub_slot = row["slot"], row["sub_slot"]
    info.system, info.world = row["system"], row["world"]
    info.oldbest_list = [SimpleNamespace(**old) for old in row["old"]]
    letters = info.attr_display
    letters.interactive = row["interactive"]
    letters.force_reinstall = row["rebuild"]
    letters.remote_binary = row["remote"]
    letters.fetch_restrict = row["fetch"] is not None
    letters.fetch_restrict_satisfied = row["fetch"] == "f"
    letters.new = relation in ("new", "new_slot")
    letters.new_slot = relation == "new_slot"
    letters.replace = relation == "reinstall"
    letters.new_version = relation in ("upgrade", "downgrade")
    letters.downgrade = relation == "downgrade"
    letters.mask = row["mask"]
    display.verboseadd = "".join(
        _create_use_string(
            display.conf, group["name"], group["iuse"], group["forced"], group["use"],
            group["old_iuse"], group["old_use"], row["is_new"], None,
        )
        for group in row["groups"]
    )
    if merge:
        display.verboseadd += localized_size(row["size"])
        counters.totalsize += row["size"]
        name = {"new_slot": "newslot", "reinstall": "reinst", "new": "new"}.get(relation)
        name = name or relation + "s"
        setattr(counters, name, getattr(counters, name) + 1)
        counters.binary += row["type"] == "binary"
        counters.interactive += row["interactive"]
        counters.restrict_fetch += row["fetch"] is not None
        counters.restrict_fetch_satisfied += row["fetch"] == "f"
    counters.uninst += row["kind"] == "uninstall"
    display.indent = " " * row["depth"]
    info.oldbest = display.convert_myoldbest(package, info)
    text = display._set_no_columns(package, info)
    if row["root"] is not None:
        text += (" " if info.oldbest else "") + portage.output.darkgreen("to " + row["root"])
    return text, display.verboseadd, None
