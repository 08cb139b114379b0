"""Completed instances per second, three ways, taken in turns: see :mod:`tests.bench.subjects` for who does what."""

from __future__ import annotations

from pathlib import Path

from tests.bench.measuring import row, series, spread
from tests.bench.subjects import CLASSIC, Ours, Pattern, Vanilla, WithDatabase, chain, loop, whole

GOAL = 8
"""How many times vanilla's rate is aimed at on chains and loops."""

PATTERNS: tuple[tuple[Pattern, int], ...] = (
    *((pattern, 60) for pattern in CLASSIC),
    (chain(1), 60),
    (chain(3), 40),
    (chain(10), 20),
    (loop(10), 12),
    (loop(40), 4),
)
"""What is measured, and how many instances of each."""


def run(folder: Path) -> None:
    print("Completed instances a second: engine alone / with its database (SQLite file) / vanilla SpiffWorkflow")
    print("  median of the turns (quartiles); the ratio is the median over turns of vanilla's time by ours, both without a database")
    print("  alone and vanilla: restore → step → save to text per user task, or create → run → save; the database adds history, tasks, commit")
    for pattern, instances in PATTERNS:
        _measure(folder, pattern, instances)


def _measure(folder: Path, pattern: Pattern, instances: int) -> None:
    ours, vanilla, database = Ours(pattern), Vanilla(pattern), WithDatabase(pattern, folder)
    subjects = {"ours": ours, "database": database, "vanilla": vanilla}
    for subject in subjects.values():
        state = whole(subject, pattern.steps)
        ended = vanilla.ended(state) if subject is vanilla else subject is not database or state.state == "COMPLETED"
        if not ended or (subject is ours and '"userTask"' in state):
            raise SystemExit(f"{pattern.name}: {type(subject).__name__} does not reach the end, so its speed means nothing")
    times = series(instances, **{name: (lambda turn, subject=subject: whole(subject, pattern.steps)) for name, subject in subjects.items()})
    rates = {name: [1000 / time for time in values] for name, values in times.items()}
    ratios = [theirs / own for own, theirs in zip(times["ours"], times["vanilla"], strict=True)]
    figures = " / ".join(spread(rates[name]) for name in subjects)
    aimed = f", goal ≥ {GOAL}×" if pattern.steps else ""
    row(f"{pattern.name}: {pattern.what}", figures, f"{spread(ratios, '.1f')}×{aimed}")
    if pattern.steps:
        sizes = [(len(one.encode()), len(other.encode())) for one, other in _states(ours, vanilla, pattern.steps)]
        row("  bytes saved at the first and before the last step: ours / vanilla",
            " → ".join(f"{one:,} / {other:,}" for one, other in dict.fromkeys((sizes[0], sizes[-1]))))  # fmt: skip
    database.dispose()


def _states(ours: Ours, vanilla: Vanilla, steps: int) -> list[tuple[str, str]]:
    states = [(ours.create(), vanilla.create())]
    for _ in range(steps - 1):
        states.append((ours.step(states[-1][0]), vanilla.step(states[-1][1])))
    return states
