"""Planning a migration: which element of one version of a process becomes which of another."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection

from engine.bpmn.activities import EventSubProcess
from engine.bpmn.elements import FlowNode
from engine.bpmn.events import BoundaryEvent
from engine.bpmn.repeating import Body, MultiInstance
from engine.errors import ValidationFailed
from engine.runtime.operations.values import MigrationElement, MigrationPlan, MigrationProblem
from engine.words import T, Words

if TYPE_CHECKING:
    from engine.runtime.engine import Engine


class Pairing:
    """A plan over two parsed versions: finds for each old spec (also the inner one of a repeated activity) its new one."""

    def __init__(self, old: Any, new: Any, mapping: Mapping[str, str]) -> None:
        self.old, self.new, self.mapping = old, new, mapping
        self._inner = {spec.inner: spec for spec in old.task_specs.values() if isinstance(spec, Body)}

    def image(self, spec: FlowNode) -> FlowNode | None:
        """The new spec for an old one; ``None`` when the plan has none."""
        if spec is self.old.start:
            return self.new.start
        body = self._inner.get(spec)
        if body is not None:
            other = self.image(body)
            return other.inner if isinstance(other, Body) else None
        return self.new.task_specs.get(self.mapping.get(spec.bpmn_id, ""))

    def image_name(self, name: str) -> str | None:
        """The same for the name under which a spec is remembered in a token."""
        spec = self.old.task_specs.get(name)
        image = None if spec is None else self.image(spec)
        return None if image is None else image.name

    def is_inner(self, spec: FlowNode) -> bool:
        """Whether ``spec`` is what a repeated activity repeats; its place follows from the body's."""
        return spec in self._inner


def plan(
    engine: Engine, conn: Connection, process_id: str, from_version: int, to_version: int, mapping: Mapping[str, str] | None
) -> MigrationPlan:
    """Pair the elements of two versions: those of ``mapping``, then those of the same id and kind.

    An empty new id takes an automatic pair away.  What does not fit is listed in ``problems``, all of it.  Raises
    :class:`NotFound` for a version that is not deployed and :class:`ValidationFailed` when both are the same.
    """
    if from_version == to_version:
        raise ValidationFailed("Choose two different versions.")
    old = engine.definition("process", process_id, from_version, conn=conn).model
    new = engine.definition("process", process_id, to_version, conn=conn).model
    mine, theirs = _elements(old), _elements(new)
    given = {str(id): str(target or "") for id, target in (mapping or {}).items()}
    problems: list[MigrationProblem] = []
    pairs: dict[str, str] = {}
    for id, target in given.items():
        if id not in mine:
            problems.append(MigrationProblem(id, T("There is no element “%(id)s” in version %(version)d.", id=id, version=from_version)))
        elif target and target not in theirs:
            problems.append(MigrationProblem(id, T("There is no element “%(id)s” in version %(version)d.", id=target, version=to_version)))
        elif target:
            pairs[id] = target
    for id, spec in mine.items():
        if id not in given and id in theirs and kind_of(spec) == kind_of(theirs[id]):
            pairs[id] = id
    pairing = Pairing(old, new, pairs)
    for id in pairs:
        problems.extend(MigrationProblem(id, words) for words in _misfits(pairing, mine[id], theirs[pairs[id]]))
    for id, spec in mine.items():
        if id not in pairs and can_hold(spec):
            message = T("“%(label)s” goes nowhere: a case that stands there cannot be migrated. Choose an element for it.", label=spec.label)
            problems.append(MigrationProblem(id, message, "warning"))
    kinds: dict[Any, list[str]] = {}
    for id, spec in theirs.items():
        kinds.setdefault(kind_of(spec), []).append(id)
    return MigrationPlan(
        process_id,
        from_version,
        to_version,
        mapping=pairs,
        given=given,
        elements=tuple(MigrationElement(id, spec.label, spec.element_type, pairs.get(id)) for id, spec in mine.items()),
        problems=tuple(problems),
        candidates={id: tuple(kinds.get(kind_of(spec), ())) for id, spec in mine.items()},
    )


def _elements(model: Any) -> dict[str, FlowNode]:
    inner = {spec.inner for spec in model.task_specs.values() if isinstance(spec, Body)}
    return {spec.bpmn_id: spec for spec in model.task_specs.values() if spec is not model.start and spec not in inner}


def kind_of(spec: FlowNode) -> tuple[Any, ...]:
    """What two elements must have in common to take each other's tokens."""
    repeated = (getattr(getattr(spec, "loop", None), "sequential", None), type(spec.inner).__name__) if isinstance(spec, Body) else ()
    awaits = tuple(definition.kind for definition in getattr(spec, "definitions", ()))
    return (spec.element_type, type(spec).__name__, awaits, getattr(spec, "parallel_multiple", False), *repeated)


def can_hold(spec: FlowNode) -> bool:
    """Whether a token may stand on ``spec`` between two commands: what passes at once concerns no migration."""
    if isinstance(spec, (Body, EventSubProcess)) or spec.wait_kind or spec.joins:
        return True
    return spec.element_type in ("subProcess", "transaction", "adHocSubProcess", "eventBasedGateway", "intermediateCatchEvent", "receiveTask")


def _misfits(pairing: Pairing, old: FlowNode, new: FlowNode) -> list[Words]:
    if kind_of(old) != kind_of(new):
        return [T("“%(old)s” and “%(new)s” are of different kinds (%(kind)s, %(other)s). Choose an element of the same kind.",
                  old=old.label, new=new.label, kind=_kind_word(old), other=_kind_word(new))]  # fmt: skip
    found: list[Words] = []
    if pairing.image(old.container or pairing.old.start) is not (new.container or pairing.new.start):
        found.append(
            T("“%(old)s” lies in another sub-process than “%(new)s”. Choose an element in the same one, or pair the sub-processes too.", old=old.label, new=new.label)
        )
    if isinstance(old, BoundaryEvent) and (old.attached_to is None or pairing.image(old.attached_to) is not new.attached_to):
        found.append(T("“%(old)s” stands on another activity than “%(new)s”. Pair the activities too.", old=old.label, new=new.label))
    return found


def _kind_word(spec: FlowNode) -> str:
    words = [spec.element_type, *(definition.kind for definition in getattr(spec, "definitions", ()))]
    if isinstance(spec, MultiInstance):
        words.append("sequential" if spec.loop.sequential else "parallel")
    return " ".join(words)
