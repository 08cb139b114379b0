"""A server that is killed between any two steps, and two servers that share one PostgreSQL."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path
from time import monotonic

import pytest
from sqlalchemy import select

from engine.store import tables
from tests.support.by_requests import Answer, Visitor
from tests.support.server import RunningServer


@pytest.fixture
def mortal(tmp_path: Path, _built_assets: str) -> Iterator[RunningServer]:
    """A server of its own, to be killed."""
    running = RunningServer(tmp_path / "desk").start(prepare=True)
    yield running
    running.stop()


@pytest.mark.parametrize("name", ["complaint_c", "complaint_deemed"])
def test_a_server_killed_after_every_step_reaches_the_same_end(name, mortal: RunningServer, by_requests):
    kills = []

    def kill(engine):
        mortal.kill()
        mortal.start()
        kills.append(1)
        return engine

    player = by_requests(name, on=mortal, between=kill)

    player.play()

    player.check()
    assert len(kills) == len(player.scenario.steps) + 1
    fired_once(player)


def fired_once(player) -> None:
    """No rung of a clock and no step by itself happened twice."""
    trail, firing = tables.trail, tables.rung_firing
    with player.engine.reading() as conn:
        rungs = Counter(conn.execute(select(firing.c.clock_key, firing.c.rung).where(firing.c.case_key == player.case_key)).all())
        lines = Counter(
            conn.execute(select(trail.c.element_id, trail.c.action, trail.c.at).where(trail.c.case_key == player.case_key)).all()
        )
    assert set(rungs.values()) <= {1}
    assert set(lines.values()) <= {1}


def test_a_server_killed_while_it_finishes_a_task_has_finished_it_wholly_or_not_at_all(mortal: RunningServer, by_requests):
    player = by_requests("complaint_c", on=mortal)
    player.begin()
    finished = 0

    for step in player.scenario.steps:
        task = player.open_tasks(step["element"])[0]
        visitor = player.visitor(next(player.workers(task, step["by"])))
        visitor.post(f"/task/{task.key}/claim", visitor.get(f"/task/{task.key}").hidden)
        page = visitor.get(f"/task/{task.key}")
        answers = {"data": json.dumps(player.answers(step.get("data"))), "outcome": step["outcome"], "opinion": ""}
        connection = visitor.send_only(f"/task/{task.key}", {**page.hidden, **answers})
        mortal.kill()
        connection.close()
        mortal.start()
        if player.open_tasks(step["element"]):
            player.step(step)
        else:
            finished += 1
        if step["element"] == "handle":
            break

    assert player.waiting() == ["chief_review"], finished
    fired_once(player)


@pytest.mark.postgres
def test_two_servers_on_one_postgresql_fire_each_limit_once(tmp_path: Path, postgres_server, by_requests, _built_assets: str):
    """Both nodes are told at the same moment, again and again, that the time has moved on, and look for due work at once."""
    database = postgres_server.create(migrated=False)
    url, key = postgres_server.url(database), "one key for the sessions of both nodes, as the settings ask"
    nodes = [
        RunningServer(tmp_path / name, url, node_name=name, secret_key=key).start(prepare=name == "first") for name in ("first", "second")
    ]
    players = [by_requests("complaint_deemed", on=nodes[number % 2]) for number in range(4)]
    try:
        administrators = [Visitor(node.url, "admin").sign_in() for node in nodes]
        players[0].calm_morning()
        for administrator in administrators:
            wait_until_shown(administrator, players[0].local_now)
        for player in players:
            player.begin()
            player.step(player.scenario.steps[0])

        with ThreadPoolExecutor(len(nodes)) as pool:
            for _ in range(20):
                assert [each.status for each in pool.map(one_day_on, administrators)] == [200, 200]

        for player in players:
            assert player.waiting() == ["confirm_grade"]
            happened = Counter(activity.element_id for activity in player.engine.activities(player.case_key))
            assert happened["review_expired"] == happened["deem_accepted"] == happened["confirm_grade"] == 1
        trail, firing, notice = tables.trail, tables.rung_firing, tables.notification
        mine = [player.case_key for player in players]
        with players[0].engine.reading() as conn:
            lines = conn.execute(select(trail.c.case_key).where(trail.c.case_key.in_(mine), trail.c.element_id == "review_expired")).all()
            told = conn.execute(select(notice.c.login, notice.c.case_key, notice.c.msgid, notice.c.params, notice.c.kind)).all()
            rungs = conn.execute(select(firing.c.clock_key, firing.c.rung, firing.c.node)).all()
        assert Counter(line.case_key for line in lines) == Counter(mine)
        assert len(rungs) == len({(each.clock_key, each.rung) for each in rungs}) > len(mine) * 3
        said = Counter((each.login, each.case_key, each.msgid, str(each.params)) for each in told if each.kind == "rung")
        assert set(said.values()) <= {1}
    finally:
        for player in players:
            player.engine.dispose()
        for node in nodes:
            node.stop()
        postgres_server.drop(database)


def wait_until_shown(administrator: Visitor, moment: datetime) -> None:
    """A node reads the demo clock again at most once a second; ask its page until it shows the day of ``moment``."""
    shown, given_up = f"{moment.year}年{moment.month}月{moment.day}日", monotonic() + 20
    while shown not in administrator.get("/admin/clock").text:
        assert monotonic() < given_up, f"the node never showed {shown}"


def one_day_on(administrator: Visitor) -> Answer:
    """The administrator of one node moves the clock by a working day."""
    page = administrator.get("/admin/clock")
    return administrator.post("/admin/clock", {**page.hidden, "step": "workday"})
