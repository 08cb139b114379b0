"""Every statement of the rooms runs on each kind of database."""

from __future__ import annotations

import io

import pytest

from engine import Engine
from tests.desk import desk_models as models
from tests.web.rooms import PEOPLE, app, browse, clock, open_case  # noqa: F401  fixtures


@pytest.fixture
def engine(clock, database_url):
    made = Engine(database_url, clock=clock, settings={"cache_seconds": 60}, node="test")
    made.migrate()
    made.desk.people.import_organisation(sections=models.SECTIONS, roles=models.ROLES, people=PEOPLE, by="system")
    made.deploy(models.files(), by="designer")
    yield made
    made.dispose()


PAGES = {
    "du": (
        "/supervision", "/supervision?light=red&section=gaoxin&county=x&procedure=y&sort=-due", "/supervision?unclaimed=1&today=1&sort=level",
        "/supervision/board", "/supervision/export.xlsx", "/register", "/register/export.xlsx?procedure=licence", "/notices", "/notices?unread=1",
        "/notices/bell",
    ),
    "chen": ("/supervision",),
    "admin": (
        "/admin", "/admin?q=%E6%9D%8E&role=clerk&section=gaoxin&active=", "/admin/people/li", "/admin/sections", "/admin/roles", "/admin/deputies",
        "/admin/calendar",
    ),
    "auditor": ("/admin/audit", "/admin/audit?by=wang&action=task.&subject=task&since=2026-11-01&until=2026-12-31"),
    "designer": ("/designer",),
}  # fmt: skip


def test_every_page_answers(browse, open_case, clock, engine):
    late = open_case()
    clock.office("2026-12-02 09:00")
    engine.run_due()
    open_case(accepted=False)
    for login, addresses in PAGES.items():
        client = browse(login)
        for address in addresses:
            assert client.get(address).status_code == 200, address
    supervisor = browse("du")
    assert supervisor.get(f"/supervision/{late.key}").status_code == 200
    assert supervisor.post(f"/supervision/{late.key}/urge", headers={"HX-Request": "true"}).status_code == 200
    designer = browse("designer")
    form = (io.BytesIO(models.form("licence_step", "note", "grade", "reason")), "licence_step.form")
    page = designer.post("/designer/check", data={"files": [form]}, content_type="multipart/form-data").get_data(as_text=True)
    ticket = page.split('name="ticket" value="')[1].split('"')[0]
    assert designer.post("/designer/publish", data={"ticket": ticket}).status_code == 302
    assert designer.get(f"/designer/{engine.definition('process', 'licence').key}").status_code == 200
    assert browse("admin").post("/admin/people/li/unlock").status_code == 302
