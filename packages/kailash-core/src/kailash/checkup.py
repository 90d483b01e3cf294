"""What `dataflow doctor` and `nexus doctor` look at: whether everything that a program needs is there, and fits.

Rule 1: looking changes nothing: no table, no file, no port that stays taken.
Rule 2: whoever can be examined says so by its own methods (`Examined`); nothing here knows a database.
Rule 3: which versions work together is said by the ranges of kailash-core that distributions declare, and nowhere
else: they meet on its contracts and on nothing else.
"""

from __future__ import annotations

import enum
import platform
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, Protocol, runtime_checkable

import msgspec

from kailash._lazy import Late

if TYPE_CHECKING:
    from importlib import metadata
    from importlib.metadata import Distribution
else:
    metadata = Late("importlib.metadata")  # 20 ms, and only who looks pays for it

CORE: Final = "kailash-core"
TRIO: Final = (CORE, "dataflow", "nexus")
NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
EXTRA: Final = re.compile(r"""extra\s*==\s*["']([^"']+)["']""")
RELEASE: Final = re.compile(r"v?(\d+(?:\.\d+)*)[._-]?(?:(a|b|rc)[._-]?(\d*))?(?:[._-]?post(\d*))?(?:[._-]?dev(\d*))?")
STAGES: Final = {"a": 0, "b": 1, "rc": 2}


class State(enum.Enum):
    """How one thing stands: as it should; worth knowing; wrong."""

    OK = "ok"
    NOTE = "note"
    FAILED = "failed"


class Check(msgspec.Struct, frozen=True):
    """What was looked at, how it stands, in one sentence, and what to do about it."""

    name: str
    state: State
    said: str
    hint: str = ""


@runtime_checkable
class Examined(Protocol):
    """Something that can say how it is: a provider of a `Nexus`, a database."""

    def checkup(self) -> Sequence[Check]:
        """Look, change nothing, and return what there is to say; blocking."""

    def configuration(self) -> Mapping[str, Any]:
        """Return what it was asked to be, secrets masked, as JSON can hold it."""


def healthy(checks: Iterable[Check]) -> bool:
    """Whether nothing is wrong."""
    return all(check.state is not State.FAILED for check in checks)


def versions(path: Sequence[str] | None = None) -> list[Check]:
    """Return which versions are installed, and whether they are promised to work together.

    path: the folders to look in; default: those of this program (``sys.path``).
    """
    found = _installed(TRIO, path)
    checks = [Check("python", State.OK, f"{platform.python_version()} ({platform.python_implementation()})")]
    for name in TRIO:
        if name not in found:
            checks.append(Check(name, State.NOTE, "not installed"))
        elif name != CORE and _range(found[name]) is None:
            hint = f"its name is taken on the public index: install {name} from its wheel or its folder"
            checks.append(Check(name, State.FAILED, f"{found[name].version} of somebody else", hint))
        else:
            checks.append(Check(name, State.OK, found[name].version))
    return [*checks, _together(found)]


def extras(distribution: str, path: Sequence[str] | None = None) -> list[Check]:
    """Return which extras of an installed distribution are there; none for one that has none."""
    found = _installed([distribution], path).get(distribution)
    if found is None:
        return []
    wanted: dict[str, list[str]] = {}
    for requirement in found.requires or ():
        extra, name = EXTRA.search(requirement), NAME.match(requirement)
        if extra is not None and name is not None and extra[1] != "all":  # which is the others
            wanted.setdefault(extra[1], []).append(name[0])
    present = {_plain(each.name) for each in _distributions(path)}
    absent = {extra: [name for name in names if _plain(name) not in present] for extra, names in wanted.items()}
    there = [extra for extra, names in absent.items() if not names]
    lacking = [f"{extra} ({', '.join(names)})" for extra, names in absent.items() if names]
    parts = [f"installed: {', '.join(there)}"] if there else []
    parts += [f"not installed: {', '.join(lacking)}"] if lacking else []
    return [Check(f"extras of {distribution}", State.OK, "; ".join(parts))] if parts else []


def admits(specifiers: str, version: str) -> bool:
    """Whether ``>=1.0,<2`` admits *version*: PEP 440, without ``~=``, ``===``, wildcards and local versions."""
    return all(_holds(each.strip(), version) for each in specifiers.split(",") if each.strip())


def _together(found: Mapping[str, Distribution]) -> Check:
    name = "together"
    if CORE not in found:
        hint = f"install {CORE}, on which the other two stand"
        return Check(name, State.FAILED, f"{CORE} is not installed", hint)
    core = found[CORE].version
    ranges = {each: said for each in TRIO[1:] if each in found and (said := _range(found[each])) is not None}
    wrong = [
        f"{each} {found[each].version} needs {CORE} {said}" for each, said in ranges.items() if not admits(said, core)
    ]
    if wrong:
        hint = "install versions whose ranges meet; CHANGELOG.md lists those that are promised"
        return Check(name, State.FAILED, f"{'; '.join(wrong)}; {core} is installed", hint)
    return Check(name, State.OK, "these versions are promised to work together")


def _range(found: Distribution) -> str | None:
    """Return the range of kailash-core that a distribution declares; None: it declares none, so it is not ours."""
    for requirement in found.requires or ():
        name = NAME.match(requirement)
        if name is not None and _plain(name[0]) == CORE and "extra" not in requirement:
            return requirement[name.end() :].partition(";")[0].strip(" ()")
    return None


def _installed(names: Iterable[str], path: Sequence[str] | None) -> dict[str, Distribution]:
    """Return the distributions of these names, the first of each that Python would find."""
    found: dict[str, Distribution] = {}
    for each in _distributions(path):
        found.setdefault(_plain(each.name), each)
    return {name: found[name] for name in names if name in found}


def _distributions(path: Sequence[str] | None) -> Iterable[Distribution]:
    found = metadata.distributions() if path is None else metadata.distributions(path=[*path])
    return (each for each in found if each.metadata["Name"])


def _plain(name: str) -> str:
    """Return *name* as an index compares it (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def _holds(specifier: str, version: str) -> bool:
    sign = re.match(r"[<>=!]=?", specifier)
    if sign is None:
        return False
    have, want = _key(version), _key(specifier[sign.end() :].strip())
    match sign[0]:
        case ">=":
            return have >= want
        case "<=":
            return have <= want
        case ">":
            return have > want and not (have[0] == want[0] and have[1] > 0 == want[1])  # 1.0.post1 is no later release
        case "<":
            return have < want and not (have[0] == want[0] and have[1] < 0 == want[1])  # 2.0a1 is no earlier one
        case "!=":
            return have != want
        case _:
            return have == want


def _key(version: str) -> tuple[tuple[int, ...], int, int, int]:
    """Return what versions are compared by: release; how far it is from final, before (< 0) or after; which one."""
    found = RELEASE.match(version.lower())
    if found is None:
        return (), 0, 0, 0
    release = [int(part) for part in found[1].split(".")]
    while len(release) > 1 and release[-1] == 0:
        release.pop()
    if found[2]:
        stage, number = STAGES[found[2]] - 3, int(found[3] or 0)
    elif found[4] is not None:
        stage, number = 1, int(found[4] or 0)
    else:
        stage, number = (0, 0) if found[5] is None else (-4, 0)
    return tuple(release), stage, number, int(found[5] or 0) if found[5] is not None else 1_000_000_000
