"""Every statement of the process monitor runs on each kind of database, and a concurrent change is told in words."""

from __future__ import annotations

import pytest

from engine import Conflict, Engine
from tests.desk import desk_models as models
from tests.web.operations_room import orders, text  # noqa: F401  a fixture
from tests.web.rooms import PEOPLE, app, browse, clock, open_case  # noqa: F401  fixtures


@pytest.fixture
def engine(clock, database_url):
    made = Engine(database_url, clock=clock, settings={"cache_seconds": 60}, node="test")
    made.migrate()
    made.desk.people.import_organisation(sections=models.SECTIONS, roles=models.ROLES, people=PEOPLE, by="system")
    made.deploy(models.files(), by="designer")
    yield made
    made.dispose()


def test_every_page_answers(browse, engine, orders, open_case):
    case = open_case(secret=True)
    held = orders.stuck("A-1", items=[1, {"a": None}])
    caller = orders.start("A-2", "caller", amount=500)
    ended = orders.start("A-3")
    engine.cancel(ended.key, by="admin", reason="x")
    orders.second()
    running = orders.start("A-4")
    batch = engine.retry_many([held.key, ended.key], by="admin", reason="y")
    engine.run_due()
    incident = engine.incidents()[0]
    client = browse("admin")
    of = "/operations/instances/{}".format
    for address in (
        "/operations", "/operations?all=1", "/operations/instances", "/operations/instances/export.xlsx?process=order", "/operations/incidents",
        "/operations/instances?process=order&version=1&state=ended&incident=1&q=100%25_A&since=2026-01-01&until=2026-12-31", "/operations/instances?q=17",
        "/operations/incidents?process=order&page=1", "/operations/batches", f"/operations/batches/{batch.key}", "/operations/cleanup",
        f"/operations/batches/{batch.key}/progress", f"/operations/incidents/{incident.key}", "/operations/migration?process=order",
        f"/operations/migration?process=order&keys={held.key}", f"/operations/definitions/{engine.definition('process', 'order').key}/suspend",
        *(of(each.key) for each in (case, held, caller, ended, running)), f"{of(running.key)}/move", f"{of(ended.key)}/restart",
        f"{of(ended.key)}/delete", f"{of(held.key)}/variable?name=items", f"{of(held.key)}/variable?new=1",
    ):  # fmt: skip
        assert client.get(address).status_code == 200, address
    for kind in ("suspend", "resume", "cancel", "retry", "delete"):
        answer = client.post("/operations/instances/many", data={"kind": kind, "all": "1", "match": "process=order"})
        assert answer.status_code == 200, kind
    assert client.post("/operations/incidents/group", data={"sample": str(incident.key)}).status_code == 302
    assert client.get(f"{of(running.key)}/explode").status_code == 404


def test_who_was_faster_is_told_in_words(browse, engine, orders, monkeypatch, clock):
    one = orders.start("A-1")

    def faster(*_args, **_kwargs):
        raise Conflict("Somebody else has changed this case meanwhile.", by="li", at=clock())

    monkeypatch.setattr(engine, "suspend", faster)
    monkeypatch.setattr(engine, "move", faster)
    client = browse("admin")
    page = text(client.post(f"/operations/instances/{one.key}/suspend", follow_redirects=True))
    assert "Somebody else has changed this case meanwhile. (李强, 11-23 09:00)" in page and "try again" in page
    answer = client.post(f"/operations/instances/{one.key}/move", data={"start": "boss", "reason": "kept"})
    assert answer.status_code == 409 and ">kept</textarea>" in text(answer) and 'value="boss" data-diagram-tick checked' in text(answer)
