"""Random processes made of blocks, and what must happen in them.

A block is a tuple of its kind and what the kind needs, drawn by :func:`trees`.  :func:`built` turns a tree of blocks into BPMN
and into an oracle: plain Python over the same tree that says, after every step, what must be waited for, which variables there
must be, and how often each element has been passed or terminated.  The oracle knows nothing of tokens.

Every wait is told from others of the same element by the variable ``at``: ``r`` in the process itself, ``r.2`` in the second
instance of a multi-instance activity, and so on.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from hypothesis import strategies as st

from tests.bpmn.builder import (
    Element,
    Process,
    both,
    boundary,
    call,
    catch,
    each,
    end,
    error,
    escalation,
    first,
    mapped,
    message,
    noted,
    on,
    process,
    receive,
    script,
    service,
    signal,
    some,
    start,
    sub,
    task,
    terminate,
    throw,
    timer,
    user,
    xor,
)

# --- the oracle's world ------------------------------------------------------------------------------------------------------


class Scope:
    """Variables; an assignment goes to the nearest scope that has the name, else to the outermost (dialect: variable scopes)."""

    def __init__(self, own: dict[str, Any], parent: Scope | None = None) -> None:
        self.own, self.parent = own, parent

    def get(self, name: str) -> Any:
        place: Scope | None = self
        while place is not None:
            if name in place.own:
                return place.own[name]
            place = place.parent
        return None

    def assign(self, name: str, value: Any) -> None:
        place = self
        while name not in place.own and place.parent is not None:
            place = place.parent
        place.own[name] = value


class Area:
    """What ends together: the contents of a sub-process or of one instance of it.  ``loose`` tokens hold a scope open."""

    def __init__(self, world: World, parent: Area | None) -> None:
        self.world, self.alive = world, True
        self.inner: list[Area] = []
        self.records: list[Record] = []
        self.loose = 0
        self.on_empty: Callable[[], None] | None = None
        if parent is not None:
            parent.inner.append(self)

    def cancel(self) -> None:
        if not self.alive:
            return
        self.alive = False
        for area in self.inner:
            area.cancel()
        for record in self.records:
            record.end("TERMINATED")
        self.world.waits = [wait for wait in self.world.waits if wait.area is not self]

    def token_gone(self) -> None:
        """One of the tokens that keep this scope open has come to an end event."""
        self.loose -= 1
        if self.alive and self.loose == 0:
            self.alive = False
            self.world.waits = [wait for wait in self.world.waits if wait.area is not self]
            assert self.on_empty is not None
            self.on_empty()


class Record:
    """One passage of an element."""

    def __init__(self, world: World, element: str) -> None:
        self.world, self.element, self.open = world, element, True

    def end(self, state: str) -> None:
        if self.open:
            self.open = False
            self.world.passed[self.element, state] += 1


@dataclass(eq=False)
class Wait:
    """Something from outside that the process waits for.

    ``kind`` is task, job, message, signal, timer or error; ``name`` the message's name or the job's type; ``due`` a timer's instant.  A wait that
    ``stays`` may happen more than once.
    """

    kind: str
    element: str
    at: str
    area: Area
    act: Callable[[Any], None]
    name: str = ""
    due: datetime | None = None
    variable: str | None = None
    stays: bool = False
    times: int = 0
    error: str | None = None
    """Code of the error that ends it; then it is another way out of a job, not a wait of its own."""

    @property
    def identity(self) -> tuple[str, str, Any]:
        return self.kind, self.element, self.due if self.kind == "timer" else "" if self.kind == "signal" else self.at


class World:
    """What the oracle expects now."""

    def __init__(self, now: datetime, variables: dict[str, Any]) -> None:
        self.now = now
        self.root = Scope(variables)
        self.waits: list[Wait] = []
        self.passed: Counter[tuple[str, str]] = Counter()
        self.ended = False

    def enter(self, area: Area, element: str) -> Record:
        record = Record(self, element)
        area.records.append(record)
        return record

    def pass_by(self, area: Area, *elements: str) -> None:
        for element in elements:
            self.enter(area, element).end("COMPLETED")

    def wait(self, area: Area, scope: Scope, kind: str, element: str, act: Callable[[Any], None], **more: Any) -> Wait:
        made = Wait(kind, element, scope.get("at"), area, act, **more)
        self.waits.append(made)
        return made

    def happen(self, wait: Wait, value: Any = None) -> None:
        """``wait`` is over (or, if it stays, has happened once more)."""
        wait.times += 1
        if not wait.stays:
            self.waits.remove(wait)
        wait.act(value)

    def expected(self) -> Counter[tuple[str, str, Any]]:
        """All waits by identity."""
        return Counter(wait.identity for wait in self.waits if wait.error is None)


# --- pieces ------------------------------------------------------------------------------------------------------------------

Done = Callable[[], None]
Begin = Callable[[World, Area, Scope, Done], None]


@dataclass
class Piece:
    """A part of a flow: entered at ``first``, left at ``last``.

    ``begin`` is its oracle; ``constants`` are variables it reads and ``writes`` those it sets.
    """

    first: str
    last: str
    elements: dict[str, Element]
    begin: Begin
    flows: list[str] = field(default_factory=list)
    constants: dict[str, Any] = field(default_factory=dict)
    writes: list[str] = field(default_factory=list)
    children: list[Process] = field(default_factory=list)
    """Called processes."""


def _joined(pieces: list[Piece], first: str, last: str, own: dict[str, Element], begin: Begin) -> Piece:
    made = Piece(first, last, dict(own), begin)
    for piece in pieces:
        made.elements |= piece.elements
        made.flows += piece.flows
        made.constants |= piece.constants
        made.writes += piece.writes
        made.children += piece.children
    return made


def _length(n: int) -> timedelta:
    """Of the timer of block ``n``: no two blocks have the same, nor the same sum soon."""
    return timedelta(seconds=3_600 * n + 7 * n * n)


def _duration(n: int) -> str:
    return f"PT{int(_length(n).total_seconds())}S"


def _list(names: list[str]) -> str:
    return f"=[{', '.join(names)}]"


class Builder:
    """Turns a tree of blocks into pieces; each block gets a number, which all its ids end with."""

    def __init__(self) -> None:
        self.numbers = itertools.count(1)

    def build(self, block: Any) -> Piece:
        kind, *rest = block
        return getattr(self, kind)(next(self.numbers), *rest)

    # -- leaves --

    def _leaf(self, n: int, id: str, element: Element, kind: str, **more: Any) -> Piece:
        variable = None if kind == "timer" else f"v{n}"

        def begin(world: World, area: Area, scope: Scope, done: Done) -> None:
            record = world.enter(area, id)

            def over(value: Any) -> None:
                if variable is not None:
                    scope.assign(variable, value)
                record.end("COMPLETED")
                done()

            due = world.now + _length(n) if kind == "timer" else None
            world.wait(area, scope, kind, id, over, due=due, variable=variable, **more)

        return Piece(id, id, {id: element}, begin, writes=[variable] if variable else [])

    def task(self, n: int) -> Piece:
        return self._leaf(n, f"t{n}", noted(user(), at="=at"), "task")

    def job(self, n: int) -> Piece:
        return self._leaf(n, f"j{n}", service(f"w{n}"), "job", name=f"w{n}")

    def message(self, n: int) -> Piece:
        return self._leaf(n, f"m{n}", catch(message(f"m{n}", key="=at")), "message", name=f"m{n}")

    def receive(self, n: int) -> Piece:
        return self._leaf(n, f"m{n}", receive(message(f"m{n}", key="=at")), "message", name=f"m{n}")

    def signal(self, n: int) -> Piece:
        return self._leaf(n, f"g{n}", catch(signal(f"g{n}")), "signal", name=f"g{n}")

    def pause(self, n: int) -> Piece:
        return self._leaf(n, f"i{n}", catch(timer(_duration(n))), "timer")

    def auto(self, n: int) -> Piece:
        name = f"n{n}"

        def begin(world: World, area: Area, scope: Scope, done: Done) -> None:
            world.pass_by(area, f"s{n}")
            scope.assign(name, (scope.get(name) or 0) + 1)
            done()

        return Piece(f"s{n}", f"s{n}", {f"s{n}": script(f"if {name} = null then 1 else {name} + 1", name)}, begin, writes=[name])

    def risky(self, n: int) -> Piece:
        """A job that a worker either does or answers with an error, which a boundary event catches; both ways meet again."""

        def begin(world: World, area: Area, scope: Scope, done: Done) -> None:
            record, waits = world.enter(area, f"j{n}"), []

            def over(value: Any, state: str) -> None:
                world.waits = [wait for wait in world.waits if wait not in waits]
                record.end(state)
                if state == "COMPLETED":
                    scope.assign(f"v{n}", value)
                else:
                    world.pass_by(area, f"b{n}", f"z{n}")
                world.pass_by(area, f"y{n}")
                done()

            more = {"name": f"w{n}", "variable": f"v{n}"}
            waits.append(world.wait(area, scope, "job", f"j{n}", lambda value: over(value, "COMPLETED"), **more))
            waits.append(world.wait(area, scope, "error", f"j{n}", lambda value: over(value, "TERMINATED"), name=f"w{n}", error=f"E{n}"))

        elements = {f"j{n}": service(f"w{n}"), f"b{n}": boundary(f"j{n}", error(f"E{n}")), f"z{n}": task(), f"y{n}": xor()}
        flows = [f"j{n} -> y{n}", f"b{n} -> z{n} -> y{n}"]
        return Piece(f"j{n}", f"y{n}", elements, begin, flows, writes=[f"v{n}"])

    # -- flow --

    def seq(self, n: int, blocks: list[Any]) -> Piece:
        pieces = [self.build(block) for block in blocks]

        def begin(world: World, area: Area, scope: Scope, done: Done) -> None:
            def go(place: int) -> None:
                if place == len(pieces):
                    done()
                else:
                    pieces[place].begin(world, area, scope, lambda: go(place + 1))

            go(0)

        made = _joined(pieces, pieces[0].first, pieces[-1].last, {}, begin)
        made.flows += [f"{one.last} -> {two.first}" for one, two in itertools.pairwise(pieces)]
        return made

    def choice(self, n: int, blocks: list[Any], chosen: int) -> Piece:
        pieces = [self.build(block) for block in blocks]
        chosen %= len(pieces)

        def begin(world: World, area: Area, scope: Scope, done: Done) -> None:
            world.pass_by(area, f"x{n}")
            pieces[chosen].begin(world, area, scope, lambda: (world.pass_by(area, f"y{n}"), done()))

        made = _joined(pieces, f"x{n}", f"y{n}", {f"x{n}": xor(), f"y{n}": xor()}, begin)
        for number, piece in enumerate(pieces):
            condition = "*" if number == len(pieces) - 1 else f"c{n} = {number}"
            made.flows += [f"x{n} -[{condition}]-> {piece.first}", f"{piece.last} -> y{n}"]
        made.constants[f"c{n}"] = chosen
        return made

    def fork(self, n: int, blocks: list[Any]) -> Piece:
        pieces = [self.build(block) for block in blocks]
        made = _joined(pieces, f"x{n}", f"y{n}", {f"x{n}": both(), f"y{n}": both()}, self._together(n, pieces))
        for piece in pieces:
            made.flows += [f"x{n} -> {piece.first}", f"{piece.last} -> y{n}"]
        return made

    def several(self, n: int, blocks: list[Any], chosen: list[bool]) -> Piece:
        pieces = [self.build(block) for block in blocks]
        taken = (chosen + [True] * len(pieces))[: len(pieces) - 1]
        going = [piece for piece, goes in zip(pieces, [*taken, not any(taken)], strict=True) if goes]
        made = _joined(pieces, f"x{n}", f"y{n}", {f"x{n}": some(), f"y{n}": some()}, self._together(n, going))
        for number, piece in enumerate(pieces):
            default = number == len(pieces) - 1
            made.flows += [f"x{n} -[{'*' if default else f'o{n}_{number}'}]-> {piece.first}", f"{piece.last} -> y{n}"]
            if not default:
                made.constants[f"o{n}_{number}"] = taken[number]
        return made

    @staticmethod
    def _together(n: int, pieces: list[Piece]) -> Begin:
        def begin(world: World, area: Area, scope: Scope, done: Done) -> None:
            left = len(pieces)

            def one_done() -> None:
                nonlocal left
                left -= 1
                if left == 0:
                    world.pass_by(area, f"y{n}")
                    done()

            world.pass_by(area, f"x{n}")
            for piece in pieces:
                piece.begin(world, area, scope, one_done)

        return begin

    def loop(self, n: int, block: Any, rounds: int) -> Piece:
        piece, name = self.build(block), f"n{n}"

        def begin(world: World, area: Area, scope: Scope, done: Done) -> None:
            def again() -> None:
                world.pass_by(area, f"y{n}")
                piece.begin(world, area, scope, counted)

            def counted() -> None:
                world.pass_by(area, f"r{n}", f"x{n}")
                scope.assign(name, scope.get(name) + 1)
                if scope.get(name) < rounds:
                    again()
                else:
                    world.pass_by(area, f"z{n}")
                    done()

            world.pass_by(area, f"s{n}")
            scope.assign(name, 0)
            again()

        own = {f"s{n}": script("0", name), f"y{n}": xor(), f"r{n}": script(f"{name} + 1", name), f"x{n}": xor(), f"z{n}": task()}
        made = _joined([piece], f"s{n}", f"z{n}", own, begin)
        made.flows += [f"s{n} -> y{n} -> {piece.first}", f"{piece.last} -> r{n} -> x{n} -[{name} < {rounds}]-> y{n}", f"x{n} -[*]-> z{n}"]
        made.writes.append(name)
        return made

    def decide(self, n: int, by_message: Any, by_timer: Any) -> Piece:
        pieces = [self.build(by_message), self.build(by_timer)]

        def begin(world: World, area: Area, scope: Scope, done: Done) -> None:
            record, waits = world.enter(area, f"g{n}"), []

            def chosen(event: str, piece: Piece) -> Callable[[Any], None]:
                def act(value: Any) -> None:
                    world.waits = [wait for wait in world.waits if wait not in waits]
                    record.end("COMPLETED")
                    world.pass_by(area, event)
                    piece.begin(world, area, scope, lambda: (world.pass_by(area, f"y{n}"), done()))

                return act

            waits.append(world.wait(area, scope, "message", f"m{n}", chosen(f"m{n}", pieces[0]), name=f"m{n}"))
            waits.append(world.wait(area, scope, "timer", f"i{n}", chosen(f"i{n}", pieces[1]), due=world.now + _length(n)))

        own = {f"g{n}": first(), f"m{n}": catch(message(f"m{n}", key="=at")), f"i{n}": catch(timer(_duration(n))), f"y{n}": xor()}
        made = _joined(pieces, f"g{n}", f"y{n}", own, begin)
        for event, piece in zip((f"m{n}", f"i{n}"), pieces, strict=True):
            made.flows += [f"g{n} -> {event} -> {piece.first}", f"{piece.last} -> y{n}"]
        return made

    # -- scopes --

    @staticmethod
    def _contents(n: int, piece: Piece, *more: str) -> str:
        return "; ".join([f"start{n} -> {piece.first}", f"{piece.last} -> end{n}", *piece.flows, *more])

    @staticmethod
    def _run(n: int, piece: Piece, world: World, area: Area, scope: Scope, on_empty: Done) -> None:
        """From the start event of a scope to its last token."""
        area.loose, area.on_empty = 1, on_empty
        world.pass_by(area, f"start{n}")
        piece.begin(world, area, scope, lambda: (world.pass_by(area, f"end{n}"), area.token_gone()))

    def _sub(self, n: int, piece: Piece, element: Element, armed: Callable[..., None] | None = None) -> Piece:
        """A sub-process around ``piece``; ``armed(world, outer, inner, scope, record, done)`` adds what waits beside it."""

        def begin(world: World, area: Area, scope: Scope, done: Done) -> None:
            record, inner = world.enter(area, f"p{n}"), Area(world, area)

            def over() -> None:
                beside.cancel()
                record.end("COMPLETED")
                done()

            beside = Area(world, area)
            if armed is not None:
                armed(world, area, inner, beside, scope, record, done)
            self._run(n, piece, world, inner, scope, over)

        return _joined([piece], f"p{n}", f"p{n}", {f"p{n}": element}, begin)

    @staticmethod
    def _hidden(made: Piece, piece: Piece) -> Piece:
        """The contents of a sub-process stand inside its element."""
        for id in piece.elements:
            del made.elements[id]
        made.flows = []
        return made

    def inside(self, n: int, block: Any, local: bool) -> Piece:
        piece = self.build(block)
        element = sub(self._contents(n, piece), **piece.elements)
        made = self._hidden(self._sub(n, piece, element), piece)
        if not local:
            return made
        writes, outer = list(made.writes), made.begin
        mapped(element, dict.fromkeys(writes, "=null"), {f"out{n}": _list(writes)})

        def begin(world: World, area: Area, scope: Scope, done: Done) -> None:
            own = Scope(dict.fromkeys(writes), scope)

            def over() -> None:
                scope.assign(f"out{n}", [own.get(name) for name in writes])
                done()

            outer(world, area, own, over)

        made.begin, made.writes = begin, [f"out{n}"]
        return made

    def _handler(self, n: int) -> Piece:
        return self._leaf(n, f"h{n}", noted(user(), at="=at"), "task")

    def _guarded(self, n: int, block: Any, interrupting: bool, kind: str) -> Piece:
        """A sub-process with a boundary event and a task behind it."""
        piece, handler = self.build(block), self._handler(n)

        def armed(world: World, area: Area, inner: Area, beside: Area, scope: Scope, record: Record, done: Done) -> None:
            def act(value: Any) -> None:
                if interrupting:
                    inner.cancel()
                    beside.cancel()
                    record.end("TERMINATED")
                    world.pass_by(area, f"b{n}")
                    handler.begin(world, area, scope, lambda: (done()))
                else:
                    area.loose += 1
                    world.pass_by(area, f"b{n}")
                    handler.begin(world, area, scope, lambda: (world.pass_by(area, f"away{n}"), area.token_gone()))

            due = world.now + _length(n) if kind == "timer" else None
            world.wait(beside, scope, kind, f"b{n}", act, name=f"m{n}", due=due, stays=not interrupting and kind == "message")

        event = timer(_duration(n)) if kind == "timer" else message(f"m{n}", key="=at")
        made = self._hidden(self._sub(n, piece, sub(self._contents(n, piece), **piece.elements), armed), piece)
        made.elements |= {f"b{n}": boundary(f"p{n}", event, interrupting=interrupting), **handler.elements}
        made.writes += handler.writes
        if interrupting:
            made.elements[f"y{n}"], made.last = xor(), f"y{n}"
            made.flows += [f"p{n} -> y{n}", f"b{n} -> h{n} -> y{n}"]
            inner = made.begin
            made.begin = lambda world, area, scope, done: inner(world, area, scope, lambda: (world.pass_by(area, f"y{n}"), done()))
        else:
            made.elements[f"away{n}"] = end()
            made.flows += [f"b{n} -> h{n} -> away{n}"]
        return made

    def timed(self, n: int, block: Any, interrupting: bool) -> Piece:
        return self._guarded(n, block, interrupting, "timer")

    def told(self, n: int, block: Any, interrupting: bool) -> Piece:
        return self._guarded(n, block, interrupting, "message")

    def caught(self, n: int, block: Any) -> Piece:
        """A sub-process that ends with an error, maybe while something in it still goes on; a boundary event catches it."""
        piece, trigger, handler = self.build(block), self._leaf(n, f"t{n}", noted(user(), at="=at"), "task"), self._handler(n)
        trigger.writes.clear()

        def begin(world: World, area: Area, scope: Scope, done: Done) -> None:
            record, inner = world.enter(area, f"p{n}"), Area(world, area)
            inner.loose, inner.on_empty = 2, lambda: None

            def bang() -> None:
                inner.cancel()
                record.end("TERMINATED")
                world.pass_by(area, f"b{n}")
                handler.begin(world, area, scope, done)

            world.pass_by(inner, f"start{n}", f"k{n}")
            piece.begin(world, inner, scope, lambda: (world.pass_by(inner, f"end{n}"), inner.token_gone()))
            trigger.begin(world, inner, scope, bang)

        flows = [f"start{n} -> k{n} -> {piece.first}", f"{piece.last} -> end{n}", f"k{n} -> t{n} -> bang{n}", *piece.flows]
        inside = {**piece.elements, **trigger.elements, f"k{n}": both(), f"bang{n}": end(error(f"E{n}"))}
        made = _joined([piece], f"p{n}", f"h{n}", {}, begin)
        made.elements = {f"p{n}": sub("; ".join(flows), **inside), f"b{n}": boundary(f"p{n}", error(f"E{n}")), **handler.elements}
        made.elements[f"never{n}"] = end()
        made.flows = [f"p{n} -> never{n}", f"b{n} -> h{n}"]
        made.writes += handler.writes
        return made

    def cut(self, n: int, block: Any) -> Piece:
        """A sub-process in which one branch comes to a terminate end event, maybe while the other still goes on."""
        piece, trigger = self.build(block), self._leaf(n, f"t{n}", noted(user(), at="=at"), "task")

        def begin(world: World, area: Area, scope: Scope, done: Done) -> None:
            record, inner = world.enter(area, f"p{n}"), Area(world, area)
            inner.loose, inner.on_empty = 2, lambda: None

            def bang() -> None:
                inner.cancel()
                record.end("COMPLETED")
                done()

            world.pass_by(inner, f"start{n}", f"k{n}")
            piece.begin(world, inner, scope, lambda: (world.pass_by(inner, f"end{n}"), inner.token_gone()))
            trigger.begin(world, inner, scope, bang)

        flows = [f"start{n} -> k{n} -> {piece.first}", f"{piece.last} -> end{n}", f"k{n} -> t{n} -> bang{n}", *piece.flows]
        inside = {**piece.elements, **trigger.elements, f"k{n}": both(), f"bang{n}": end(terminate())}
        made = _joined([piece], f"p{n}", f"p{n}", {}, begin)
        made.elements, made.flows = {f"p{n}": sub("; ".join(flows), **inside)}, []
        made.writes += trigger.writes
        return made

    def warned(self, n: int, block: Any, interrupting: bool) -> Piece:
        """A sub-process that throws an escalation on its way; a boundary event catches it and interrupts it or not."""
        piece, trigger, handler = self.build(block), self._leaf(n, f"t{n}", noted(user(), at="=at"), "task"), self._handler(n)
        trigger.writes.clear()

        def begin(world: World, area: Area, scope: Scope, done: Done) -> None:
            record, inner = world.enter(area, f"p{n}"), Area(world, area)

            def over() -> None:
                record.end("COMPLETED")
                meet()

            def meet() -> None:
                world.pass_by(area, f"y{n}")
                done()

            def thrown() -> None:
                if interrupting:
                    inner.cancel()
                    record.end("TERMINATED")
                    world.pass_by(area, f"b{n}")
                    handler.begin(world, area, scope, meet)
                    return
                area.loose += 1
                world.pass_by(area, f"b{n}")
                handler.begin(world, area, scope, lambda: (world.pass_by(area, f"away{n}"), area.token_gone()))
                piece.begin(world, inner, scope, lambda: (world.pass_by(inner, f"end{n}"), inner.token_gone()))

            inner.loose, inner.on_empty = 1, over
            world.pass_by(inner, f"start{n}")
            trigger.begin(world, inner, scope, thrown)

        flows = [f"start{n} -> t{n} -> bang{n} -> {piece.first}", f"{piece.last} -> end{n}", *piece.flows]
        inside = {**piece.elements, **trigger.elements, f"bang{n}": throw(escalation(f"W{n}"))}
        made = _joined([piece], f"p{n}", f"y{n}", {}, begin)
        made.elements = {
            f"p{n}": sub("; ".join(flows), **inside), f"b{n}": boundary(f"p{n}", escalation(f"W{n}"), interrupting=interrupting),
            f"y{n}": xor(), **handler.elements,
        }  # fmt: skip
        made.flows = [f"p{n} -> y{n}", f"b{n} -> h{n} -> y{n}" if interrupting else f"b{n} -> h{n} -> away{n}"]
        if not interrupting:
            made.elements[f"away{n}"] = end()
        made.writes += handler.writes
        return made

    def heard(self, n: int, block: Any, interrupting: bool) -> Piece:
        """A sub-process with an event sub-process on a message."""
        piece, handler = self.build(block), self._handler(n)

        def armed(world: World, area: Area, inner: Area, beside: Area, scope: Scope, record: Record, done: Done) -> None:
            def act(value: Any) -> None:
                if interrupting:
                    for other in inner.inner:
                        other.cancel()
                    for one in inner.records:
                        one.end("TERMINATED")
                    world.waits = [wait for wait in world.waits if wait.area is not inner]
                    inner.loose = 0
                inner.loose += 1
                event = world.enter(inner, f"e{n}")
                handling = Area(world, inner)
                world.pass_by(handling, f"heard{n}")
                handler.begin(
                    world, handling, scope, lambda: (world.pass_by(handling, f"over{n}"), event.end("COMPLETED"), inner.token_gone())
                )

            world.wait(inner, scope, "message", f"heard{n}", act, name=f"m{n}", stays=not interrupting)

        hear = on(f"heard{n} -> h{n} -> over{n}", **{
            f"heard{n}": start(message(f"m{n}", key="=at"), interrupting=interrupting), f"over{n}": end(), **handler.elements,
        })  # fmt: skip
        element = sub(self._contents(n, piece), **piece.elements, **{f"e{n}": hear})
        made = self._hidden(self._sub(n, piece, element, armed), piece)
        made.writes += handler.writes
        return made

    # -- several at once --

    def _each(self, n: int, id: str, times: int, one_by_one: bool, writes: list[str], instance: Begin, enough: int | None = None) -> Begin:
        """``instance`` once per item of ``at.1``, ``at.2``, …; collects ``[at, *writes]``; ends the others when ``enough`` are done."""

        def begin(world: World, area: Area, scope: Scope, done: Done) -> None:
            body = Area(world, area)
            results: list[Any] = [None] * times
            ready = 0

            def go(place: int) -> None:
                own = Scope({**dict.fromkeys(writes), "at": f"{scope.get('at')}.{place + 1}"}, scope)
                record, inner = world.enter(body, id), Area(world, body)

                def over() -> None:
                    nonlocal ready
                    record.end("COMPLETED")
                    results[place] = [own.get("at"), *(own.get(name) for name in writes)]
                    ready += 1
                    if ready == (enough or times):
                        body.cancel()
                        scope.assign(f"all{n}", results)
                        done()
                    elif one_by_one:
                        go(place + 1)

                instance(world, inner, own, over)

            for place in range(1 if one_by_one else times):
                if body.alive:
                    go(place)

        return begin

    @staticmethod
    def _repeated(n: int, element: Element, times: int, one_by_one: bool, writes: list[str], enough: int | None = None) -> Element:
        items = f'=for i in 1..{times} return at + "." + string(i)'
        until = None if enough is None else f"=numberOfCompletedInstances >= {enough}"
        return each(element, items, "at", results=f"all{n}", result=_list(["at", *writes]), one_by_one=one_by_one, until=until)

    def many(self, n: int, kind: str, times: int, one_by_one: bool, enough: int | None) -> Piece:
        """A task, job or receive task once per item; with ``enough`` it is over when so many are done."""
        enough = None if enough is None else min(enough, times)
        elements = {"task": lambda: noted(user(), at="=at"), "job": lambda: service(f"w{n}"), "message": lambda: receive(message(f"m{n}", key="=at"))}
        name = {"task": "", "job": f"w{n}", "message": f"m{n}"}[kind]

        def instance(world: World, area: Area, scope: Scope, done: Done) -> None:
            def over(value: Any) -> None:
                scope.assign(f"v{n}", value)
                done()

            world.wait(area, scope, kind, f"t{n}", over, variable=f"v{n}", name=name)

        element = self._repeated(n, elements[kind](), times, one_by_one, [], enough)
        begin = self._each(n, f"t{n}", times, one_by_one, [], instance, enough)
        return Piece(f"t{n}", f"t{n}", {f"t{n}": element}, begin, writes=[f"v{n}", f"all{n}"])

    def many_inside(self, n: int, block: Any, times: int, one_by_one: bool) -> Piece:
        piece = self.build(block)
        writes = list(dict.fromkeys(piece.writes))

        def instance(world: World, area: Area, scope: Scope, done: Done) -> None:
            self._run(n, piece, world, area, scope, done)

        element = mapped(sub(self._contents(n, piece), **piece.elements), dict.fromkeys(writes, "=null"))
        begin = self._each(n, f"p{n}", times, one_by_one, writes, instance)
        made = _joined([piece], f"p{n}", f"p{n}", {}, begin)
        made.elements, made.flows, made.writes = {f"p{n}": self._repeated(n, element, times, one_by_one, writes)}, [], [f"all{n}"]
        return made

    # -- calls --

    def _call(self, n: int, block: Any, local: bool = False) -> tuple[Element, Piece, Process, Begin]:
        """A call activity, its contents, the called process, and what the call does (its own record apart); its result is a variable
        of the call itself when it is ``local``."""
        piece, id = self.build(block), f"child{n}"
        writes, passes = list(dict.fromkeys(piece.writes)), ["at", *piece.constants]

        def begin(world: World, area: Area, scope: Scope, done: Done) -> None:
            own = Scope({name: scope.get(name) for name in passes})
            self._run(n, piece, world, area, own, lambda: (scope.assign(f"out{n}", [own.get(name) for name in writes]), done()))

        inputs = {name: f"={name}" for name in passes} | ({f"out{n}": "=null"} if local else {})
        calling = mapped(call(id, all_in=False, all_out=False), inputs, {f"out{n}": _list(writes)})
        return calling, piece, process(id, self._contents(n, piece), **piece.elements), begin

    def called(self, n: int, block: Any) -> Piece:
        element, piece, child, inner = self._call(n, block)

        def begin(world: World, area: Area, scope: Scope, done: Done) -> None:
            record = world.enter(area, f"c{n}")
            inner(world, Area(world, area), scope, lambda: (record.end("COMPLETED"), done()))

        return Piece(f"c{n}", f"c{n}", {f"c{n}": element}, begin, [], piece.constants, [f"out{n}"], [*piece.children, child])

    def many_called(self, n: int, block: Any, times: int, one_by_one: bool) -> Piece:
        element, piece, child, inner = self._call(n, block, local=True)
        begin = self._each(n, f"c{n}", times, one_by_one, [f"out{n}"], inner)
        repeated = self._repeated(n, element, times, one_by_one, [f"out{n}"])
        return Piece(f"c{n}", f"c{n}", {f"c{n}": repeated}, begin, [], piece.constants, [f"all{n}"], [*piece.children, child])


@dataclass
class Built:
    """A random process: its files' processes, the variables it starts with, and its oracle."""

    processes: list[Process]
    variables: dict[str, Any]
    begin: Callable[[datetime], World]


def built(block: Any) -> Built:
    """The process ``p`` of a block, with what it calls."""
    piece = Builder().build(block)
    variables = {**piece.constants, "at": "r"}

    def begin(now: datetime) -> World:
        world = World(now, dict(variables))
        area = Area(world, None)

        def over() -> None:
            world.ended = True

        Builder._run(0, piece, world, area, world.root, over)
        return world

    return Built([process("p", Builder._contents(0, piece), **piece.elements), *piece.children], variables, begin)


# --- drawing -----------------------------------------------------------------------------------------------------------------


def _nested(inner: st.SearchStrategy) -> st.SearchStrategy:
    blocks, yes = st.lists(inner, min_size=2, max_size=3), st.booleans()
    return st.one_of(
        st.tuples(st.just("seq"), blocks),
        st.tuples(st.just("choice"), blocks, st.integers(0, 2)),
        st.tuples(st.just("fork"), blocks),
        st.tuples(st.just("several"), blocks, st.lists(yes, max_size=2)),
        st.tuples(st.just("loop"), inner, st.integers(1, 3)),
        st.tuples(st.just("decide"), inner, inner),
        st.tuples(st.just("inside"), inner, yes),
        st.tuples(st.sampled_from(["timed", "told", "warned", "heard"]), inner, yes),
        st.tuples(st.sampled_from(["caught", "cut", "called"]), inner),
        st.tuples(st.sampled_from(["many_inside", "many_called"]), inner, st.integers(1, 3), yes),
    )


def trees(signals: bool = True) -> st.SearchStrategy:
    """Trees of blocks; half of them several trees after or beside one another.

    A signal cannot be repeated safely by a sender that got no answer, so that those who test that leave it out.
    """
    kinds = ["task", "task", "auto", "job", "risky", "message", "receive", "pause", *(["signal"] if signals else [])]
    leaves = st.one_of(
        *(st.just((kind,)) for kind in kinds),
        st.tuples(
            st.just("many"), st.sampled_from(["task", "job", "message"]), st.integers(1, 3), st.booleans(), st.one_of(st.none(), st.integers(1, 2))
        ),
    )
    tree = st.recursive(leaves, _nested, max_leaves=7)
    return st.one_of(tree, st.tuples(st.sampled_from(["seq", "fork"]), st.lists(tree, min_size=2, max_size=4)))
