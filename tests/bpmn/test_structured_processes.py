"""Random processes from nested blocks, and the path through them that is known beforehand.

Each is run to its end by completing its open tasks in a random order; after every step its state is saved and brought back.
"""

from __future__ import annotations

import itertools
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from engine.bpmn.execution import Execution
from engine.bpmn.reader import read_bpmn
from engine.bpmn.snapshot import dump, restore
from engine.bpmn.validation import check
from tests.bpmn.builder import Element, both, bpmn, each, process, script, some, sub, user, xor
from tests.bpmn.host import Desk


@dataclass
class Piece:
    """A part of a flow: it is entered at ``first`` and left at ``last``; ``visits`` says how often each task is passed."""

    first: str
    last: str
    flows: list[str]
    elements: dict[str, Element]
    visits: Counter[str]
    variables: dict[str, Any] = field(default_factory=dict)


class Builder:
    """Turns a drawn tree of blocks into a process."""

    def __init__(self) -> None:
        self.numbers = itertools.count(1)

    def build(self, block: Any) -> Piece:
        kind, *rest = block
        return getattr(self, kind)(next(self.numbers), *rest)

    def task(self, n: int) -> Piece:
        return Piece(f"t{n}", f"t{n}", [], {f"t{n}": user()}, Counter({f"t{n}": 1}))

    def auto(self, n: int) -> Piece:
        return Piece(f"s{n}", f"s{n}", [], {f"s{n}": script("1", "last")}, Counter({f"s{n}": 1}))

    def many(self, n: int, times: int, one_by_one: bool) -> Piece:
        return Piece(f"t{n}", f"t{n}", [], {f"t{n}": each(user(), times=str(times), one_by_one=one_by_one)}, Counter({f"t{n}": times}))

    def seq(self, n: int, blocks: list[Any]) -> Piece:
        pieces = [self.build(block) for block in blocks]
        made = self._joined(pieces, pieces[0].first, pieces[-1].last)
        made.flows += [f"{one.last} -> {two.first}" for one, two in itertools.pairwise(pieces)]
        for piece in pieces:
            made.visits += piece.visits
        return made

    def choice(self, n: int, blocks: list[Any], chosen: int) -> Piece:
        pieces = [self.build(block) for block in blocks]
        chosen %= len(pieces)
        made = self._joined(pieces, f"x{n}", f"y{n}", {f"x{n}": xor(), f"y{n}": xor()})
        for number, piece in enumerate(pieces):
            condition = "*" if number == len(pieces) - 1 else f"c{n} = {number}"
            made.flows += [f"x{n} -[{condition}]-> {piece.first}", f"{piece.last} -> y{n}"]
        made.variables[f"c{n}"] = chosen
        made.visits += pieces[chosen].visits
        return made

    def fork(self, n: int, blocks: list[Any]) -> Piece:
        pieces = [self.build(block) for block in blocks]
        made = self._joined(pieces, f"x{n}", f"y{n}", {f"x{n}": both(), f"y{n}": both()})
        for piece in pieces:
            made.flows += [f"x{n} -> {piece.first}", f"{piece.last} -> y{n}"]
            made.visits += piece.visits
        return made

    def several(self, n: int, blocks: list[Any], chosen: list[bool]) -> Piece:
        pieces = [self.build(block) for block in blocks]
        taken = (chosen + [True] * len(pieces))[: len(pieces) - 1]
        made = self._joined(pieces, f"x{n}", f"y{n}", {f"x{n}": some(), f"y{n}": some()})
        for number, piece in enumerate(pieces):
            default = number == len(pieces) - 1
            made.flows += [f"x{n} -[{'*' if default else f'o{n}_{number}'}]-> {piece.first}", f"{piece.last} -> y{n}"]
            if default:
                made.visits += piece.visits if not any(taken) else Counter()
            else:
                made.variables[f"o{n}_{number}"] = taken[number]
                made.visits += piece.visits if taken[number] else Counter()
        return made

    def loop(self, n: int, block: Any, rounds: int) -> Piece:
        piece = self.build(block)
        own = {f"s{n}": script("0", f"n{n}"), f"y{n}": xor(), f"r{n}": script(f"n{n} + 1", f"n{n}"), f"x{n}": xor()}
        made = self._joined([piece], f"s{n}", f"z{n}", {**own, f"z{n}": script("1", "last")})
        made.flows += [f"s{n} -> y{n} -> {piece.first}", f"{piece.last} -> r{n} -> x{n} -[n{n} < {rounds}]-> y{n}", f"x{n} -[*]-> z{n}"]
        made.visits = Counter({name: times * rounds for name, times in piece.visits.items()})
        return made

    def inside(self, n: int, block: Any) -> Piece:
        piece = self.build(block)
        flows = "; ".join([f"start{n} -> {piece.first}", f"{piece.last} -> end{n}", *piece.flows])
        return Piece(f"p{n}", f"p{n}", [], {f"p{n}": sub(flows, **piece.elements)}, piece.visits, piece.variables)

    @staticmethod
    def _joined(pieces: list[Piece], first: str, last: str, own: dict[str, Element] | None = None) -> Piece:
        made = Piece(first, last, [], dict(own or {}), Counter())
        for piece in pieces:
            made.flows += piece.flows
            made.elements |= piece.elements
            made.variables |= piece.variables
        return made


def nested(inner: st.SearchStrategy) -> st.SearchStrategy:
    blocks = st.lists(inner, min_size=2, max_size=3)
    return st.one_of(
        st.tuples(st.just("seq"), blocks),
        st.tuples(st.just("choice"), blocks, st.integers(0, 2)),
        st.tuples(st.just("fork"), blocks),
        st.tuples(st.just("several"), blocks, st.lists(st.booleans(), max_size=2)),
        st.tuples(st.just("loop"), inner, st.integers(1, 3)),
        st.tuples(st.just("inside"), inner),
    )


LEAVES = st.one_of(
    st.just(("task",)), st.just(("task",)), st.just(("auto",)), st.tuples(st.just("many"), st.integers(1, 3), st.booleans())
)
BLOCKS = st.recursive(LEAVES, nested, max_leaves=8)


@settings(max_examples=150, deadline=None)
@given(BLOCKS, st.randoms(use_true_random=False))
def test_every_process_reaches_its_end_by_the_known_path_and_survives_saving(block, order):
    piece = Builder().build(block)
    data = bpmn(process("p", "; ".join([f"start -> {piece.first}", f"{piece.last} -> end", *piece.flows]), **piece.elements))
    model = read_bpmn(data, "p.bpmn")
    assert check(model) == []
    spec, desk = model.processes["p"], Desk()
    execution = Execution(spec, desk)
    execution.begin(piece.variables)
    execution.run()
    steps = 0
    while not execution.ended:
        saved = dump(execution)
        execution = restore(spec, desk, saved)
        assert dump(execution) == saved
        assert desk.open, f"stuck: {saved}"
        token = order.choice(sorted(desk.open))
        del desk.open[token]
        execution.complete_token(execution.token(token), {})
        execution.run()
        steps += 1
    assert desk.incidents == [] and desk.open == {}
    assert {name: desk.done[name] for name in piece.visits} == dict(piece.visits)
    assert desk.done["end"] == 1
    tasks = sum(times for name, times in piece.visits.items() if name.startswith("t"))
    assert steps == tasks
