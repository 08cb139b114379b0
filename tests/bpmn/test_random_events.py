"""Random processes of nested blocks with everything that interrupts, undoes and repeats, driven at random.

Whatever happens — tasks completed or failing, timers, signals, conditions in any order — no step breaks the tree of tokens, each save
brings back the same state, nothing is left behind, and when nothing disturbs any more the process reaches its end.
"""

from __future__ import annotations

import itertools
from random import Random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.bpmn.builder import (
    Element,
    Process,
    ad_hoc,
    again,
    both,
    boundary,
    call,
    cancel,
    catch,
    compensate,
    complex_,
    conditional,
    counted,
    each,
    end,
    error,
    escalation,
    first,
    on,
    process,
    script,
    signal,
    some,
    start,
    sub,
    terminate,
    throw,
    timer,
    transaction,
    undoing,
    undone_by,
    user,
    xor,
)
from tests.bpmn.stage import Stage

SIGNALS = ("S1", "S2", "S3")


class Maker:
    """Draws blocks; each is entered at one element and left at one element of the same scope."""

    def __init__(self, random: Random) -> None:
        self.random, self.numbers = random, itertools.count(1)

    def block(self, depth: int, flows: list[str], parts: dict[str, Element]) -> tuple[str, str]:
        kinds = [self.task, self.step, self.event]
        if depth > 0:
            kinds += [
                self.sequence,
                self.choice,
                self.fork,
                self.several,
                self.discriminator,
                self.inside,
                self.inside,
                self.inside,
                self.race,
                self.tokens,
            ]
        return self.random.choice(kinds)(depth, flows, parts)

    def name(self, letter: str) -> str:
        return f"{letter}{next(self.numbers)}"

    def flip(self, chance: float = 0.5) -> bool:
        return self.random.random() < chance

    def repeated(self, element: Element) -> Element:
        if self.flip(0.25):
            until = "=numberOfCompletedInstances >= 2" if self.flip(0.3) else None
            return each(element, times=f"={self.random.randint(0, 3)}", one_by_one=self.flip(), until=until)
        return again(element, maximum=self.random.randint(1, 2)) if self.flip(0.15) else element

    def undoable(self, name: str, flows: list[str], parts: dict[str, Element]) -> None:
        if self.flip(0.4):
            handler = self.name("u")
            parts[handler] = undoing(self.random.choice([user, lambda: script("{}"), lambda: each(user(), times="=2")])())
            parts[f"on_{name}"] = undone_by(name, handler)

    def guarded(self, name: str, flows: list[str], parts: dict[str, Element]) -> tuple[str, str]:
        """Events on the border of an activity: what interrupts joins the way on, what does not ends on a way of its own."""
        leave = self.name("m")
        parts[leave] = xor()
        flows.append(f"{name} -> {leave}")
        for _ in range(self.random.randint(0, 2)):
            event, handler = self.name("b"), self.name("h")
            kind = self.random.choice(["signal", "timer", "conditional", "error", "escalation"])
            interrupting = kind == "error" or self.flip()
            parts[event] = boundary(name, self.definition(kind), interrupting=interrupting)
            parts[handler] = self.random.choice([user, lambda: script("{}")])()
            if interrupting:
                flows.append(f"{event} -> {handler} -> {leave}")
            else:
                last = self.name("e")
                parts[last] = end()
                flows.append(f"{event} -> {handler} -> {last}")
        return name, leave

    def definition(self, kind: str) -> Any:
        return {
            "signal": lambda: signal(self.random.choice(SIGNALS)),
            "timer": lambda: timer("PT1H"),
            "conditional": lambda: conditional(f"=n > {self.random.randint(0, 3)}"),
            "error": lambda: error(self.random.choice(["E", None])),
            "escalation": lambda: escalation(self.random.choice(["E", None])),
        }[kind]()

    # --- blocks ------------------------------------------------------------------------------------------------------------

    def task(self, depth: int, flows: list[str], parts: dict[str, Element]) -> tuple[str, str]:
        name = self.name("t")
        parts[name] = self.repeated(user())
        self.undoable(name, flows, parts)
        return self.guarded(name, flows, parts)

    def step(self, depth: int, flows: list[str], parts: dict[str, Element]) -> tuple[str, str]:
        name = self.name("s")
        parts[name] = self.random.choice(
            [
                lambda: script("{n: modulo(n + 1, 5)}"),
                lambda: self.repeated(script("{}")),
                lambda: throw(signal(self.random.choice(SIGNALS))),
                lambda: throw(compensate(wait=self.flip())),
                lambda: throw(escalation("E")),
                lambda: self.repeated(call("other")),
            ]
        )()
        return name, name

    def event(self, depth: int, flows: list[str], parts: dict[str, Element]) -> tuple[str, str]:
        name = self.name("c")
        kinds = self.random.sample(["signal", "timer", "conditional"], self.random.randint(1, 3))
        parts[name] = catch(*(self.definition(kind) for kind in kinds), all_needed=len(kinds) > 1 and self.flip(0.3))
        return name, name

    def sequence(self, depth: int, flows: list[str], parts: dict[str, Element]) -> tuple[str, str]:
        (first_, middle), (other, last) = self.block(depth - 1, flows, parts), self.block(depth - 1, flows, parts)
        flows.append(f"{middle} -> {other}")
        return first_, last

    def branches(
        self, split: Element, join: Element, condition: str, depth: int, flows: list[str], parts: dict[str, Element]
    ) -> tuple[str, str]:
        fork, merge = self.name("f"), self.name("j")
        parts[fork], parts[merge] = split, join
        number = self.random.randint(2, 3)
        for place in range(number):
            begin, last = self.block(depth - 1, flows, parts)
            arrow = "->" if not condition else "-[*]->" if place == number - 1 else f"-[n {condition} {place}]->"
            flows += [f"{fork} {arrow} {begin}", f"{last} -> {merge}"]
        return fork, merge

    def choice(self, *args: Any) -> tuple[str, str]:
        return self.branches(xor(), xor(), "=", *args)

    def fork(self, *args: Any) -> tuple[str, str]:
        return self.branches(both(), both(), "", *args)

    def several(self, *args: Any) -> tuple[str, str]:
        return self.branches(some(), some(), ">", *args)

    def discriminator(self, *args: Any) -> tuple[str, str]:
        return self.branches(both(), complex_("=activationCount >= 1"), "", *args)

    def race(self, depth: int, flows: list[str], parts: dict[str, Element]) -> tuple[str, str]:
        gateway, leave = self.name("g"), self.name("m")
        parts[gateway], parts[leave] = first(), xor()
        for _ in range(2):
            name, _ = self.event(depth, flows, parts)
            flows.append(f"{gateway} -> {name} -> {leave}")
        return gateway, leave

    def tokens(self, depth: int, flows: list[str], parts: dict[str, Element]) -> tuple[str, str]:
        sender, needer = self.name("s"), self.name("t")
        parts[sender], parts[needer] = counted(script("{}"), sends=2), counted(self.repeated(user()), needs=2)
        flows.append(f"{sender} -> {needer}")
        return sender, needer

    def contents(self, depth: int) -> tuple[list[str], dict[str, Element], str]:
        """Flows and elements of a container, and the element before its end event."""
        flows: list[str] = []
        parts: dict[str, Element] = {}
        begin, last = self.block(depth - 1, flows, parts)
        opening, closing = self.name("o"), self.name("e")
        parts[opening], parts[closing] = start(), end(self.random.choice([None, None, signal("S1"), escalation("E"), compensate()]))
        flows += [f"{opening} -> {begin}", f"{last} -> {closing}"]
        if self.flip(0.3):
            extra, stop = self.name("t"), self.name("e")
            parts[extra], parts[stop] = user(), end(terminate())
            flows.append(f"{opening} -> {extra} -> {stop}")
        for kind in self.random.sample(
            ["signal", "conditional", "error", "escalation", "timer", "compensate"], self.random.choice([0, 0, 1, 2])
        ):
            begun, work, done = self.name("o"), self.name("t"), self.name("e")
            definition = compensate() if kind == "compensate" else self.definition(kind)
            parts[self.name("x")] = on(
                f"{begun} -> {work} -> {done}",
                **{
                    begun: start(definition, interrupting=kind in ("error", "compensate") or self.flip()),
                    done: end(),
                    work: self.random.choice([user, lambda: throw(compensate())])(),
                },
            )
        return flows, parts, opening

    def inside(self, depth: int, flows: list[str], parts: dict[str, Element]) -> tuple[str, str]:
        inner, elements, opening = self.contents(depth)
        name = self.name("p")
        kind = self.random.choice(["sub", "sub", "transaction", "ad_hoc"])
        if kind == "ad_hoc":
            a, b = self.name("t"), self.name("t")
            made = ad_hoc(f"{a}; {b}", one_by_one=self.flip(), **{a: user(), b: sub("; ".join(inner), **elements)})
        elif kind == "transaction":
            extra, stop = self.name("t"), self.name("e")
            elements |= {extra: user(), stop: end(cancel())}
            made = transaction("; ".join([*inner, f"{opening} -> {extra} -> {stop}"]), **elements)
        else:
            made = sub("; ".join(inner), **elements)
        parts[name] = self.repeated(made)
        self.undoable(name, flows, parts)
        begin, leave = self.guarded(name, flows, parts)
        if kind == "transaction":
            event = self.name("b")
            parts[event] = boundary(name, cancel())
            flows.append(f"{event} -> {leave}")
        return begin, leave


def drawn(seed: int) -> tuple[list[Process], dict[str, Any]]:
    """A random process ``p``, the process ``other`` that it may call, and the variables to start with."""
    random = Random(seed)
    flows: list[str] = []
    parts: dict[str, Element] = {}
    begin, last = Maker(random).block(3, flows, parts)
    if random.random() < 0.5:
        # A called process may end in an error; what nobody else catches ends the case.
        parts["last_resort"] = on("caught -> over", caught=start(error()), over=end())
        other = process("other", "start -> w -> x -[n = 4]-> wrong; x -[*]-> end", x=xor(), wrong=end(error("E")))
    else:
        other = process("other", "start -> w -> end")
    return [process("p", "; ".join([f"start -> {begin}", f"{last} -> end", *flows]), **parts), other], {"n": random.randint(0, 3)}


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 2**40))
def test_whatever_happens_nothing_breaks_nothing_is_left_and_the_end_is_reached(seed):
    random = Random(seed + 1)
    processes, variables = drawn(seed)
    stage = Stage.of(*processes).start("p", **variables)
    for step in range(600):
        if stage.ended:
            break
        choices: list[Any] = [lambda row=row: stage.do(row) for row in stage.open]
        timers = sorted({row.reference for actor in stage.actors for row in actor.rows if row.kind == "timer"})
        choices += [lambda name=name: stage.fire(name) for name in timers]
        if step < 60 or not choices:
            choices += [lambda name=name: stage.signal(name) for name in SIGNALS]
            choices += [lambda n=n: stage.set(n=n) for n in range(5)]
            choices += [lambda row=row: stage.fail(row, "E") for row in stage.open]
            choices += [lambda row=row: stage.escalate(row, "E") for row in stage.open]
        broken = [element for element, kind in stage.incidents if kind != "UNHANDLED_ESCALATION"]
        if broken:
            for actor in stage.actors:
                actor.execution.variables["n"] = 0
            choices = [lambda element=broken[0]: stage.retry(element)]
        random.choice(choices)()
        stage.incidents = [item for item in stage.incidents if item[1] != "UNHANDLED_ESCALATION"]
    assert stage.ended, (seed, stage.open, stage.waits, stage.incidents)
    assert sorted(stage.entered) == sorted(stage.done + stage.killed)
