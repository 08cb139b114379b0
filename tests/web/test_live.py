"""Telling open pages that there is news: what is noticed, on every kind of database, and what the streams of a node may hold."""

from __future__ import annotations

import threading
import time
from datetime import timedelta

import pytest
from sqlalchemy import func, select

from engine import Engine
from engine.runtime import changes
from engine.store import tables
from engine.store.types import new_key
from tests.desk import desk_models as models
from tests.web.rooms import PEOPLE, browse, clock, open_case, settings, statements  # noqa: F401  fixtures
from web import live
from web.app import create_app

WAIT = 10


@pytest.fixture
def engine(clock, database_url):
    made = Engine(database_url, clock=clock, settings={"cache_seconds": 60, "acquirer_interval_seconds": 30}, node="test")
    made.migrate()
    made.desk.people.import_organisation(sections=models.SECTIONS, roles=models.ROLES, people=PEOPLE, by="system")
    made.deploy(models.files(), by="designer")
    yield made
    made.dispose()


@pytest.fixture
def app(engine):
    made = create_app(settings(), engine, TESTING=True, WTF_CSRF_ENABLED=False)
    yield made
    hub = made.extensions[live.EXTENSION]
    hub.close()
    assert hub.rested(WAIT), "the watcher goes on asking"


# --- what is noticed ----------------------------------------------------------------------------------------------------


def test_the_first_look_finds_nothing_changed_and_the_next_only_what_happened_since(engine, open_case):
    open_case()
    watch = changes.Watch(engine)
    assert not watch.look()
    assert not watch.look()
    open_case()
    assert watch.look()
    assert not watch.look()


def test_whatever_is_done_to_a_case_is_noticed(engine, open_case):
    case = open_case(accepted=False)
    watch = changes.Watch(engine)
    watch.look()
    task = next(task for task in engine.user_tasks(case.key))
    steps = (
        lambda: engine.desk.claim(task.key, by="wang"),
        lambda: engine.desk.urge(case.key, "请抓紧", by="du"),
        lambda: engine.desk.complete_task(task.key, {}, outcome="accept", by="wang"),
    )
    for step in steps:
        step()
        assert watch.look()
        assert not watch.look()


def test_a_change_of_another_node_is_noticed_and_so_is_one_that_commits_after_a_later_key(engine, clock, database_url, open_case):
    other = Engine(database_url, clock=clock, settings={"cache_seconds": 60}, node="other")
    case = open_case()
    watch = changes.Watch(engine)
    watch.look()
    early = new_key()  # made now, committed below, after a later key has been seen
    other.desk.urge(case.key, "请抓紧", by="du")
    assert watch.look()
    with engine.transaction(by="du") as tx:
        from engine.runtime.casework.casestate import trail_row
        from engine.store.tables import trail

        tx.add(trail, **{**trail_row(case.key, "urge", tx), "key": early})
        tx.flush()
    assert watch.look()
    other.dispose()


def test_a_light_that_turns_by_itself_is_noticed_at_its_instant_and_not_before(engine, clock, open_case):
    from sqlalchemy import select

    from engine.store.tables import clock as clock_table

    case = open_case()
    watch = changes.Watch(engine)
    watch.look()
    with engine.reading() as conn:
        row = conn.execute(select(clock_table).where(clock_table.c.case_key == case.key, clock_table.c.state == "RUNNING")).first()
        turns = sorted(filter(None, (row.yellow_at, row.overdue_at)))
    for turn in turns:
        clock.now = turn - timedelta(seconds=1)
        watch.look()  # days have ended and rungs have become due on the way
        assert not watch.look()
        clock.now = turn
        assert watch.look()
        assert not watch.look()


def test_a_silent_rung_is_news_when_it_is_due_and_again_when_it_has_fired(engine, clock, open_case):
    open_case()
    row = tables.clock.c
    with engine.reading() as conn:
        coming = conn.execute(select(row.next_rung_at, row.next_rung).where(row.next_rung_at.is_not(None)).order_by(row.next_rung_at)).first()
        before = conn.execute(select(func.count()).select_from(tables.trail)).scalar_one()
    assert coming.next_rung == "half"
    watch = changes.Watch(engine)
    watch.look()
    clock.now = coming.next_rung_at
    assert watch.look(), "it is due"
    assert not watch.look(), "the acquirer has not come round yet"
    engine.run_due()
    with engine.reading() as conn:
        assert conn.execute(select(tables.rung_firing.c.rung)).scalars().all() == ["half"]
        assert conn.execute(select(func.count()).select_from(tables.trail)).scalar_one() == before, "a silent rung leaves no line"
    assert watch.look(), "it has fired"
    assert not watch.look()


def test_the_end_of_the_office_day_is_news(engine, clock, open_case):
    watch = changes.Watch(engine)
    watch.look()
    clock.office("2026-11-23 23:59")
    assert not watch.look()
    clock.office("2026-11-24 00:00")
    assert watch.look()


def test_a_quiet_second_costs_one_statement(engine, open_case):
    open_case()
    watch = changes.Watch(engine)
    watch.look()
    with statements(engine) as sent:
        watch.look()
    asked = [each for each in sent if "trail" in each]
    assert len(asked) == 1
    assert len([each for each in sent if each.lstrip().upper().startswith("SELECT")]) == 1, sent


# --- the streams of a node ----------------------------------------------------------------------------------------------


class Asked:
    """A watch that says what it is told to, and notes that it was asked."""

    def __init__(self) -> None:
        self.answers: list[bool] = []
        self.looks, self.newest = 0, 0
        self.looked = threading.Condition()

    def look(self) -> bool:
        with self.looked:
            self.looks += 1
            self.looked.notify_all()
            return self.answers.pop(0) if self.answers else False

    def wait(self, looks: int) -> None:
        with self.looked:
            assert self.looked.wait_for(lambda: self.looks >= looks, WAIT)


@pytest.fixture
def asked():
    return Asked()


@pytest.fixture
def hub(asked):
    made = live.Hub(lambda: asked, most=5, pause=0.01)
    yield made
    made.close()
    assert made.rested(WAIT)


def test_all_streams_share_one_watcher_that_rests_when_nobody_listens(hub, asked):
    assert not hub.watching
    first, second = hub.join("du"), hub.join("chen")
    asked.answers = [False, True]
    assert first.wait(WAIT) and second.wait(WAIT)
    assert sum(thread.name == "live-watcher" for thread in threading.enumerate()) == 1
    hub.leave(first)
    assert hub.watching
    hub.leave(second)
    assert hub.rested(WAIT)
    assert not hub.watching


def test_a_node_and_a_person_have_so_many_streams_and_a_place_given_back_is_free(hub):
    mine = [hub.join("du") for _ in range(live.PER_PERSON)]
    assert all(mine)
    assert hub.join("du") is None
    other = hub.join("chen")
    assert other is not None
    assert hub.join("zheng") is None
    hub.leave(other)
    hub.leave(other)
    assert hub.streams == live.PER_PERSON
    assert hub.join("zheng") is not None


def test_a_database_that_is_away_does_not_end_the_watching(hub, asked, caplog):
    failing = [RuntimeError("away")]

    def look() -> bool:
        if failing:
            raise failing.pop()
        return Asked.look(asked)

    asked.look = look
    listener = hub.join("du")
    asked.answers = [True]
    assert listener.wait(WAIT)
    assert "could not ask for changes" in caplog.text


def stream_of(hub, ticks=None, **options):
    values = {"since": new_key(), "seconds": 60, "alive": lambda: True, "disconnected": lambda: False} | options
    stopwatch = (lambda: next(ticks)) if ticks is not None else time.monotonic
    return live.stream(hub, "du", stopwatch=stopwatch, **values)


def test_a_stream_says_changed_and_nothing_about_what(hub, asked):
    asked.answers = [False, True]
    response = stream_of(hub)
    lines = iter(response.response)
    assert response.headers["X-Accel-Buffering"] == "no"
    assert response.mimetype == "text/event-stream"
    assert b"event: ready" in next(lines)
    assert next(lines) == b"event: changed\ndata: 1\n\n"
    response.close()
    assert hub.streams == 0


def test_what_happened_between_the_drawing_of_a_page_and_its_stream_is_told(hub, asked):
    asked.newest = new_key()
    for since, told in ((asked.newest, True), (asked.newest + (60_000 << 22), False)):
        ticks = iter([0.0, 0.0, 1.0, *[100.0] * 50])
        response = stream_of(hub, ticks=ticks, since=since)
        assert (b"event: changed\ndata: 1\n\n" in list(response.response)) is told
        response.close()


def test_a_stream_ends_by_itself_with_the_session_with_the_browser_and_with_the_server(hub):
    beats = [0.0, 0.0, 1.0, 20.0, 20.0, 21.0, *[400.0] * 9]
    signs = list(stream_of(hub, ticks=iter(beats), seconds=300).response)
    assert signs[1:] and all(sign.startswith(b":") for sign in signs[1:])
    assert len(list(stream_of(hub, ticks=iter(beats), alive=lambda: False).response)) == 1
    assert len(list(stream_of(hub, disconnected=lambda: True).response)) == 1
    assert stream_of(hub, seconds=-1).status_code == 204
    hub.close()
    assert stream_of(hub).status_code == 204


# --- the page and its stream --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("login", "status"), [("du", 200), ("chen", 200), ("li", 204), ("admin", 204)])
def test_only_people_of_the_room_get_a_stream(browse, app, login, status):
    answer = browse(login).get("/supervision/changes", buffered=False)
    assert answer.status_code == status
    answer.close()
    assert app.extensions[live.EXTENSION].streams == 0


def test_whoever_is_not_signed_in_is_told_not_to_try_again(app):
    assert app.test_client().get("/supervision/changes").status_code == 204


def test_listening_does_not_keep_a_session_alive_and_ends_with_it(browse, app):
    start = app.config["SESSION_CLOCK"]()
    client = browse("du")
    app.config["SESSION_CLOCK"] = lambda: start + app.config["SESSION_IDLE_SECONDS"] - 5
    answer = client.get("/supervision/changes", buffered=False)
    assert answer.status_code == 200
    assert "Set-Cookie" not in answer.headers
    answer.close()
    app.config["SESSION_CLOCK"] = lambda: start + app.config["SESSION_IDLE_SECONDS"] + 5
    assert client.get("/supervision/changes").status_code == 204


def test_the_board_and_the_screen_know_their_stream(browse):
    client = browse("du")
    for address in ("/supervision", "/supervision/screen"):
        page = client.get(address).get_data(as_text=True)
        assert 'data-live-stream="/supervision/changes?since=' in page
        assert "data-live-state" in page


def test_a_node_without_streams_polls(engine):
    app = create_app(settings(live_streams=0), engine, TESTING=True)
    assert app.extensions[live.EXTENSION].join("du") is None
