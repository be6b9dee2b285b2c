"""Answers questions about Portage's grammar with Portage's own functions.

Each line of standard input is a JSON array, the name of a question and its arguments; each line of
standard output the answer as JSON. What Portage refuses is answered with null. Any other exception
is answered with {"crash": TEXT}, which no test takes for an answer.
"""

import json
import os
import sys

os.environ["PORTAGE_NATIVE_DEP_PARSER"] = "0"
# The program beside this one leaves no __pycache__ in the checkout.
sys.dont_write_bytecode = True
# Portage reads numbers of any length; Python stops it at 4300 digits unless told not to.
if hasattr(sys, "set_int_max_str_digits"):
    sys.set_int_max_str_digits(0)

from printer import printed  # noqa: E402

from portage.dep import Atom, check_required_use, match_from_list, use_reduce  # noqa: E402
from portage.exception import InvalidAtom, InvalidDependString  # noqa: E402
from portage.versions import _pkg_str, vercmp, ververify  # noqa: E402


def compare(left, right):
    order = vercmp(left, right)
    return None if order is None else (order > 0) - (order < 0)


def tokens(atom):
    return list(atom.use.tokens) if atom.use else []


def parts(text):
    atom = Atom(text, allow_repo=True, allow_build_id=True)
    blocker = None
    if atom.blocker:
        blocker = "!!" if atom.blocker.overlap.forbid else "!"
    return {
        "blocker": blocker,
        "operator": atom.operator,
        "cp": str(atom.cp),
        "version": atom.version,
        "build_id": atom.build_id,
        "slot": atom.slot,
        "sub_slot": atom.sub_slot,
        "slot_operator": atom.slot_operator,
        "repo": atom.repo,
        "use": tokens(atom),
    }


def use(text, parent, known, enabled):
    """What the USE dependencies come to for a parent, and which of them a package violates."""
    atom = Atom(text, allow_repo=True, allow_build_id=True)
    violated = atom.violated_conditionals(set(enabled), set(known).__contains__, set(parent))
    return {
        "evaluated": tokens(atom.evaluate_conditionals(set(parent))),
        "violated": tokens(violated),
    }


class Flags:
    """What match_from_list asks of the attributes `use` and `iuse` of a package."""

    def __init__(self, known, enabled):
        self.known, self.enabled = frozenset(known), frozenset(enabled)

    def is_valid_flag(self, flags):
        return flags in self.known if isinstance(flags, str) else self.known.issuperset(flags)


class Package:
    """A package with USE flags; one whose flags are unknown is a bare _pkg_str."""

    def __init__(self, cpv, known, enabled):
        self.cpv, self.cp, self.version, self.cpv_split = cpv, cpv.cp, cpv.version, cpv.cpv_split
        self.slot, self.sub_slot, self.repo = cpv.slot, cpv.sub_slot, cpv.repo
        self.use = self.iuse = Flags(known, enabled)


def matches(text, parent, packages):
    """For each package whether the atom matches it, evaluated for the parent's flags, if given."""
    candidates = []
    for cpv, slot, repo, build_id, flags in packages:
        package = _pkg_str(cpv, slot=slot, repo=repo, build_id=build_id)
        if repo is None:
            package.__dict__["repo"] = None
        candidates.append(package if flags is None else Package(package, *flags))
    written = Atom(text, allow_repo=True, allow_build_id=True)
    found = {id(match) for match in match_from_list(written, candidates)}
    if parent is not None:
        # evaluate_conditionals loses the repository, which the match above has looked at.
        evaluated = written.evaluate_conditionals(set(parent))
        found &= {id(match) for match in match_from_list(evaluated, candidates)}
    return [id(candidate) in found for candidate in candidates]


def reduce(text, flags, mode, eapi, kind):
    def plain(items):
        return [plain(item) if isinstance(item, list) else str(item) for item in items]

    return plain(
        use_reduce(
            text,
            uselist=flags,
            matchall=mode == "all",
            matchnone=mode == "none",
            eapi=eapi,
            is_src_uri=kind == "SRC_URI",
            token_class=Atom if kind == "DEPEND" else None,
        )
    )


def required_use(text, flags, known, eapi):
    return bool(check_required_use(text, set(flags), set(known).__contains__, eapi=eapi))


QUESTIONS = {
    "compare": compare,
    "is_version": lambda text: ververify(text),
    "spaces": lambda text: text.split(),
    "atom": parts,
    "use": use,
    "matches": matches,
    "reduce": reduce,
    "required_use": required_use,
    "list": printed,
}

for line in sys.stdin:
    question, *arguments = json.loads(line)
    try:
        answer = QUESTIONS[question](*arguments)
    except (InvalidAtom, InvalidDependString):
        answer = None
    except Exception as error:
        answer = {"crash": repr(error)}
    print(json.dumps(answer))
