"""What a step costs after 10, 1,000 and 10,000 rounds of a loop, taken in turns from states that were saved there."""

from __future__ import annotations

from pathlib import Path
from statistics import median
from typing import Any

from tests.bench.measuring import row, sent_by, series, spread
from tests.bench.subjects import Ours, Vanilla, WithDatabase, loop

ROUNDS = (10, 1_000, 10_000)
VANILLA_ROUNDS = (10, 50, 100)
"""Vanilla's step grows with every round; at 500 it cannot go on within Python's recursion limit."""

GOAL = 1.2
ENDLESS = loop(1_000_000)


def run(folder: Path) -> None:
    print("One round of a loop with a user task, late against early (median of interleaved turns, quartiles)")
    _alone()
    _with_database(folder)
    _vanilla()


def _late(what: str, times: dict[str, list[float]], rounds: tuple[int, ...], goal: str) -> None:
    """One line: the medians at the rounds, and the last by the first, turn by turn."""
    first, last = (times[str(number)] for number in (rounds[0], rounds[-1]))
    ratio = median(late / early for early, late in zip(first, last, strict=True))
    row(what, " / ".join(spread(times[str(number)], ".3f") for number in rounds) + " ms", f"last by first {ratio:.2f}{goal}")


def _saved_at(subject: Any, rounds: tuple[int, ...]) -> dict[str, str]:
    state, found = subject.create(), {}
    for number in range(1, rounds[-1] + 1):
        state = subject.step(state)
        if number in rounds:
            found[str(number)] = state
    return found


def _alone() -> None:
    ours = Ours(ENDLESS)
    saved = _saved_at(ours, ROUNDS)
    # The host keeps what its rows would be; they belong to the world outside and are the same for all three.
    times = series(400, **{number: (lambda turn, state=state: ours.step(state)) for number, state in saved.items()})
    _late(f"engine alone, rounds {' / '.join(f'{number:,}' for number in ROUNDS)}", times, ROUNDS, f", goal ≤ {GOAL}")
    row("  bytes of the snapshot then", " / ".join(f"{len(state.encode())}" for state in saved.values()) + " B")


def _with_database(folder: Path) -> None:
    subject = WithDatabase(ENDLESS, folder)
    instances = {}
    for number in ROUNDS:
        instance = subject.create()
        for _ in range(number):
            instance = subject.step(instance)
        instances[str(number)] = instance
    statements = {}
    for number, instance in instances.items():
        counts = []
        for _ in range(3):
            (task,) = subject.engine.user_tasks(instance.key)
            with sent_by(subject.engine) as sent:
                subject.engine.complete(task.key, {"ok": True}, by="li")
            # The catalogue looks for another node's deployment once a second; that is not the step's.
            counts.append(sum("FROM deployment" not in text for text, _ in sent.statements))
        statements[number] = max(counts)
    times = series(150, **{number: (lambda turn, one=one: subject.step(one)) for number, one in instances.items()})
    _late("with its database (SQLite file), same rounds", times, ROUNDS, f", goal ≤ {GOAL}")
    row("  SQL statements of a completion then", " / ".join(str(statements[str(number)]) for number in ROUNDS))
    subject.dispose()


def _vanilla() -> None:
    vanilla = Vanilla(ENDLESS)
    saved = _saved_at(vanilla, VANILLA_ROUNDS)
    times = series(7, **{number: (lambda turn, state=state: vanilla.step(state)) for number, state in saved.items()})
    _late(f"vanilla SpiffWorkflow, rounds {' / '.join(str(number) for number in VANILLA_ROUNDS)}", times, VANILLA_ROUNDS, "")
    row("  bytes saved then", " / ".join(f"{len(state.encode()):,}" for state in saved.values()) + " B")
