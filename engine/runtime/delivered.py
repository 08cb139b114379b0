"""The procedures that come with the program, and those that the office has changed since.

Every start deploys the delivered files.  What somebody has changed in the designer's room or on the pages of the limits is the
office's own by then, and a restart must not put the delivered state back over it; nor may an upgrade do so unasked.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from engine.runtime import dependents
from engine.runtime.deploy import checksums_of, deploy
from engine.runtime.desk import DELIVERER
from engine.runtime.examining import examine

if TYPE_CHECKING:
    from engine.runtime.engine import Engine


@dataclass(frozen=True)
class Kept:
    """A delivered file that was left alone, because ``by`` has deployed a version of their own of ``name`` since."""

    file: str
    name: str
    version: int
    by: str


def deliver(engine: Engine, files: Mapping[str, bytes]) -> list[Kept]:
    """Deploy the delivered ``files`` where the office has no version of its own; returns the new ones that were therefore left alone.

    A delivered file that is as old as what the office started from says nothing new and is not reported.  Raises
    :class:`DeploymentRejected` as a deployment does.
    """
    kept: dict[str, Kept | None] = {}
    checksums = checksums_of(files)
    with engine.reading() as conn:
        versions: dict[tuple[str, str], list[Any]] = {}
        for each in engine.catalogue.all(conn):
            versions.setdefault((each.kind, each.id), []).append(each)
        items = examine(files, engine.catalogue)[0]
        forms = {item.file: item.id for item in items if item.kind == "form"}
        for item in items:
            known = sorted(versions.get((item.kind, item.id), ()), key=lambda each: each.version)
            if not known or known[-1].deployed_by == DELIVERER or known[-1].checksum == checksums[item.file]:
                continue
            latest = known[-1]
            new = all(each.checksum != checksums[item.file] for each in known)
            kept[item.file] = Kept(item.file, latest.name, latest.version, latest.deployed_by) if new else kept.get(item.file)
    rest = {file: content for file, content in files.items() if file not in kept}
    for problem in examine(rest, engine.catalogue)[1]:
        # A delivered form without a field that the office's own process hides must not keep the program from starting.
        if problem.rule == dependents.RIGHTS_RULE and problem.file in rest:
            latest = engine.catalogue.find("form", forms[problem.file])
            kept[problem.file] = Kept(problem.file, latest.name, latest.version, latest.deployed_by)
            del rest[problem.file]
    if rest:
        deploy(engine, rest, DELIVERER)
    return [each for each in kept.values() if each is not None]
