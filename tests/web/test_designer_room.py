"""The designer's room by its pages: begin, save, submit, approve, versions, back, zip — and who may not."""

from __future__ import annotations

import html
import io
import json
import re
import zipfile

import pytest
from sqlalchemy import update

from engine.deadlines.sheettext import rule_rows
from engine.runtime.design import checking, drafts
from engine.runtime.limits import rulebook
from engine.store import tables
from tests.desk import desk_models as models
from tests.web.rooms import app, browse, clock, engine, open_case, selects, statements  # noqa: F401  fixtures

HOSTILE = '<script>alert(1)</script><img src=x onerror=alert(2)>'


@pytest.fixture
def room(engine):
    """Two designers and an administrator; a second person must approve."""
    object.__setattr__(engine.desk.settings, "design_second_approval", True)
    for login, name in (("mei", "梅"), ("tao", "陶")):
        engine.desk.people.save_person(login, name=name, section_code="office", roles=["designer"], password=models.PASSWORD, by="system")
    return engine


def key_of(answer) -> int:
    return int(re.search(r"/(?:drafts|submissions)/(\d+)", answer.location)[1])


def begin(client, title="请假", **values) -> int:
    answer = client.post("/designer/drafts", data={"title": title, **values})
    assert answer.status_code == 302, answer.text
    return key_of(answer)


def put(client, key, revision, files, **more):
    return client.put(f"/designer/drafts/{key}/files", json={"revision": revision, "files": files, **more})


def submit(client, key, revision=1, **values):
    return client.post(f"/designer/drafts/{key}/submit", data={"revision": revision, "reason": "依据新规定", "warnings": "1", **values})


def test_from_nothing_to_a_version_in_use_by_two_people(room, browse):
    mei, tao = browse("mei", "zh"), browse("tao", "zh")
    key = begin(mei, process_id="leave")
    for page in (f"/designer/drafts/{key}", f"/designer/drafts/{key}/compare", f"/designer/drafts/{key}/submit", f"/designer/drafts/{key}/saves/1", "/designer"):
        answer = mei.get(page)
        assert answer.status_code == 200 and "请假" in answer.text, page
    sent = submit(mei, key)
    submission = key_of(sent)
    assert "awaiting" in mei.get(f"/designer/submissions/{submission}").text or "待" in mei.get(f"/designer/submissions/{submission}").text
    assert mei.post(f"/designer/submissions/{submission}/approve", data={"revision": 1}).status_code == 403
    page = tao.get(f"/designer/submissions/{submission}").text
    assert "leave.bpmn" in page and "data-design-diff" in page and 'id="design-diff-1"' in page
    assert tao.post(f"/designer/submissions/{submission}/approve", data={"revision": 1}).status_code == 302
    assert tao.post(f"/designer/submissions/{submission}/approve", data={"revision": 1}).status_code == 409
    assert room.definition("process", "leave").version == 1
    # In a second tab it was oneself who did it; for the third person it was somebody else.
    again = browse("tao", "en").post(f"/designer/submissions/{submission}/approve", data={"revision": 1}).text
    assert "You have dealt with this already" in again and "Somebody was faster" not in again and "陶 was faster" not in again
    late = browse("admin", "en").post(f"/designer/submissions/{submission}/approve", data={"revision": 1}).text
    assert "Somebody was faster" in late and "陶 was faster" in late
    assert "梅" in mei.get("/designer/procedures/leave").text
    assert "leave" in mei.get("/designer").text


def test_the_second_save_of_one_draft_is_told_who_was_first_and_what_they_saved(room, browse):
    mei, tao = browse("mei"), browse("tao")
    key = begin(mei)
    assert put(mei, key, 1, {"README.md": "梅的"}).json["revision"] == 2
    answer = put(tao, key, 1, {"README.md": "陶的"})
    assert answer.status_code == 409 and answer.json["by"] == "梅" and answer.json["revision"] == 2
    assert answer.json["files"]["README.md"] == "梅的" and answer.json["at"]
    assert put(tao, key, 2, {"README.md": "陶的"}, note="合并").json["revision"] == 3


def test_a_save_answers_with_the_findings(room, browse):
    mei = browse("mei", "zh")
    key = begin(mei, process_id="leave")
    answer = put(mei, key, 1, {"leave.bpmn": "<torn"})
    assert answer.status_code == 200
    assert {"file", "line", "elementId", "rule", "message", "severity"} == set(answer.json["problems"][0])
    assert mei.post(f"/designer/drafts/{key}/submit", data={"revision": 2, "reason": "x"}).status_code == 422
    assert mei.get(f"/designer/drafts/{key}").status_code == 200


@pytest.mark.parametrize(
    "body",
    [None, [], {"revision": "1", "files": {}}, {"revision": 1, "files": []}, {"revision": True, "files": {}}, {"revision": 1, "files": {"../x.bpmn": "x"}},
     {"revision": 1, "files": {"x.form": 5}}, {"revision": 1, "files": {"x.exe": "MZ"}}, {"revision": 1, "files": {"a.form": "\u0000"}}],
)  # fmt: skip
def test_what_is_no_save_is_refused_in_words(room, browse, body):
    mei = browse("mei")
    key = begin(mei)
    answer = mei.put(f"/designer/drafts/{key}/files", json=body, headers={"Accept": "application/json"})
    assert answer.status_code == 422 and answer.json["message"]


def test_autosaves_come_back_and_an_expired_session_is_told(room, browse, app):
    mei = browse("mei")
    key = begin(mei)
    assert mei.put(f"/designer/drafts/{key}/autosave", json={"revision": 1, "file": "README.md", "content": "halb"}).status_code == 204
    assert "README.md" in mei.get(f"/designer/drafts/{key}").text
    with room.reading() as conn:
        assert drafts.autosaves(room.desk, conn, key, "mei")["README.md"].content == "halb"
    stranger = app.test_client()
    answer = stranger.put(f"/designer/drafts/{key}/autosave", json={}, headers={"Accept": "application/json", "X-Requested-With": "fetch"})
    assert answer.status_code == 401
    assert mei.post(f"/designer/drafts/{key}/here").json["people"][0]["me"] is True
    assert mei.delete(f"/designer/drafts/{key}/autosave").status_code == 204


def test_who_is_no_designer_stays_outside_and_administrators_only_decide(room, browse):
    mei, admin = browse("mei"), browse("admin")
    key = begin(mei)
    submission = key_of(submit(mei, key))
    for login in ("du", "li", "auditor"):
        client = browse(login)
        for page in ("/designer", "/designer/new", f"/designer/drafts/{key}", f"/designer/submissions/{submission}", "/designer/submissions",
                     "/designer/import", "/designer/procedures/licence", f"/designer/drafts/{key}/export.zip"):  # fmt: skip
            assert client.get(page).status_code in (403, 404), (login, page)
        for page in (f"/designer/drafts/{key}/discard", f"/designer/submissions/{submission}/approve", f"/designer/submissions/{submission}/refuse",
                     "/designer/drafts", "/designer/procedures/licence/change", "/designer/procedures/licence/rollback", "/designer/import"):  # fmt: skip
            assert client.post(page, data={"revision": 1}).status_code in (403, 404), (login, page)
    assert admin.get(f"/designer/drafts/{key}").status_code == 403
    assert admin.get(f"/designer/submissions/{submission}").status_code == 200
    assert admin.get("/designer/submissions").status_code == 200
    assert admin.post(f"/designer/submissions/{submission}/approve", data={"revision": 1}).status_code == 302


def test_a_refusal_needs_a_reason_and_reaches_the_author(room, browse):
    mei, tao = browse("mei"), browse("tao")
    key = begin(mei)
    submission = key_of(submit(mei, key))
    assert tao.post(f"/designer/submissions/{submission}/refuse", data={"revision": 1, "note": ""}).status_code == 422
    assert tao.post(f"/designer/submissions/{submission}/refuse", data={"revision": 1, "note": "请补充依据"}).status_code == 302
    assert "请补充依据" in mei.get(f"/designer/drafts/{key}").text
    assert "请补充依据" in mei.get("/notices").text


def test_a_day_to_come_is_entered_in_office_time(room, browse):
    mei, tao = browse("mei"), browse("tao")
    key = begin(mei, process_id="leave")
    assert submit(mei, key, effective_at="gestern").status_code == 422
    assert submit(mei, key, effective_at="2020-01-01T08:00").status_code == 422
    submission = key_of(submit(mei, key, effective_at="2026-12-01T08:00"))
    assert tao.post(f"/designer/submissions/{submission}/approve", data={"revision": 1}).status_code == 302
    assert "2026-12-01 08:00" in mei.get(f"/designer/submissions/{submission}").text or "08:00" in mei.get(f"/designer/submissions/{submission}").text
    assert room.catalogue.find("process", "leave") is None
    assert mei.post(f"/designer/submissions/{submission}/withdraw", data={"revision": 2}).status_code == 302
    assert mei.get(f"/designer/drafts/{key}/edit").status_code == 200


def test_what_both_changed_is_compared_before_it_is_submitted(room, browse):
    mei, tao = browse("mei"), browse("tao")
    mine, theirs = (key_of(client.post("/designer/procedures/licence/change")) for client in (mei, tao))
    for client, key, title in ((mei, mine, "一"), (tao, theirs, "二")):
        form = models.form("licence_step", "note", "grade", title)
        assert put(client, key, 1, {"licence_step.form": form.decode()}).status_code == 200
    assert mei.post(f"/designer/submissions/{key_of(submit(tao, theirs, 2))}/approve", data={"revision": 1}).status_code == 302
    refused = submit(mei, mine, 2)
    assert refused.status_code == 409 and 'name="compared"' in refused.text and "依据新规定" in refused.text
    seen = re.search(r'name="seen" value="([^"]+)"', refused.text)[1]
    assert submit(mei, mine, 2, compared="1", seen="form:licence_step:1").status_code == 409
    assert submit(mei, mine, 2, compared="1", seen=seen).status_code == 302


def test_an_earlier_version_comes_back_and_two_versions_stand_side_by_side(room, browse, open_case):
    mei, tao = browse("mei"), browse("tao")
    open_case()
    key = key_of(mei.post("/designer/procedures/licence/change"))
    bpmn = room.process_xml(room.definition("process", "licence").key).decode()
    put(mei, key, 1, {"licence.bpmn": bpmn.replace('name="', 'name="新', 1)})
    tao.post(f"/designer/submissions/{key_of(submit(mei, key, 2))}/approve", data={"revision": 1})
    page = mei.get("/designer/procedures/licence").text
    assert "/operations/migration?process=licence&amp;from_version=1&amp;to_version=2" in page
    old, new = (re.findall(r'name="old" value="(\d+)"', page))[::-1][:2]
    compared = mei.get(f"/designer/procedures/licence/compare?old={old}&new={new}")
    assert compared.status_code == 200 and "licence.bpmn" in compared.text
    assert mei.get("/designer/procedures/licence/compare?old=1&new=x").status_code == 404
    assert mei.post("/designer/procedures/licence/rollback", data={"deployment": old, "reason": ""}).status_code == 422
    answer = mei.post("/designer/procedures/licence/rollback", data={"deployment": old, "reason": "新版有误", "command_token": "t"})
    assert answer.status_code == 302 and "/submissions/" in answer.location
    assert tao.post(f"/designer/submissions/{key_of(answer)}/approve", data={"revision": 1}).status_code == 302
    assert room.definition("process", "licence").version == 3
    assert room.process_xml(room.definition("process", "licence").key).decode() == bpmn


def test_a_draft_is_copied_renamed_put_away_and_taken_back(room, browse):
    mei = browse("mei")
    key = begin(mei)
    assert mei.post(f"/designer/drafts/{key}/rename", data={"revision": 1, "title": "年休假"}).status_code == 302
    assert mei.post(f"/designer/drafts/{key}/rename", data={"revision": 1, "title": " "}).status_code == 422
    twin = key_of(mei.post(f"/designer/drafts/{key}/copy"))
    assert twin != key and "年休假" in mei.get(f"/designer/drafts/{twin}").text
    assert mei.post(f"/designer/drafts/{key}/discard", data={"revision": 1}).status_code == 302
    assert "restore" in mei.get(f"/designer/drafts/{key}").text
    assert put(mei, key, 1, {"README.md": "x"}).status_code == 409
    assert mei.post(f"/designer/drafts/{key}/restore").status_code == 302
    assert mei.get("/designer/drafts/99").status_code == 404


def test_hostile_names_and_texts_are_inert_on_every_page(room, browse):
    mei, tao = browse("mei"), browse("tao")
    key = begin(mei, title=HOSTILE, process_id="evil")
    bpmn = mei.get(f"/designer/drafts/{key}/file?name=evil.bpmn").text.replace('name="办理"', 'name="&lt;script&gt;alert(3)&lt;/script&gt;"')
    form = json.dumps({"id": "evil_handle", "type": "default", "components": [{"type": "text", "id": "a", "text": HOSTILE + "](javascript:alert(4))"}]})
    assert put(mei, key, 1, {"evil.bpmn": bpmn, "evil_handle.form": form, "README.md": HOSTILE}, note=HOSTILE).status_code == 200
    submission = key_of(submit(mei, key, 2, reason=HOSTILE))
    pages = ["/designer", f"/designer/drafts/{key}", f"/designer/drafts/{key}/saves/2", f"/designer/drafts/{key}/compare", f"/designer/submissions/{submission}"]
    assert tao.post(f"/designer/submissions/{submission}/approve", data={"revision": 1, "note": HOSTILE}).status_code == 302
    for page in [*pages, "/designer/procedures/evil", "/designer/definitions", "/notices"]:
        text = mei.get(page).text
        assert "<script>alert" not in text and "<img src=x" not in text and 'href="javascript:' not in text, page
    answer = mei.get(f"/designer/drafts/{key}/file?name=README.md")
    assert answer.headers["Content-Disposition"].startswith("attachment") and "html" not in answer.headers["Content-Type"]


def test_hostile_texts_stay_texts_where_tables_sheets_and_limits_are_compared(room, browse):
    mei, tao = browse("mei"), browse("tao")
    escaped = "<b>x</b><script>alert(1)</script>".replace("&", "&amp;").replace("<", "&lt;")
    table = """<definitions xmlns="https://www.omg.org/spec/DMN/20191111/MODEL/" id="d" name="d" namespace="n"><decision id="evil_d" name="%s">
      <decisionTable><input id="i" label="%s"><inputExpression id="ie"><text>a</text></inputExpression></input><output id="o" name="o"/>
      <rule id="r"><description>%s</description><inputEntry id="a"><text>%s</text></inputEntry><outputEntry id="b"><text>"%s"</text></outputEntry></rule>
      </decisionTable></decision></definitions>"""
    key = begin(mei, title="x", process_id="evil")
    sheet = mei.get(f"/designer/drafts/{key}/file?name=procedure.yaml").text
    hostile = json.dumps(HOSTILE)
    assert put(mei, key, 1, {"a.dmn": table % (("1",) * 5)}).status_code == 200
    more = f"description: {hostile}\nregister:\n  - {{key: k, label: {hostile}, value: {hostile}}}\n"
    assert put(mei, key, 2, {"a.dmn": table % ((escaped,) * 5), "procedure.yaml": sheet + more}).status_code == 200
    for page in (f"/designer/drafts/{key}/saves/2", f"/designer/drafts/{key}/saves/3", f"/designer/drafts/{key}/compare"):
        text = tao.get(page).text
        assert "<script>alert" not in text and "<b>x" not in text and "<img src=x" not in text, page
    assert "diff__table" in tao.get(f"/designer/drafts/{key}/saves/3").text


def test_a_limit_that_changed_since_the_draft_was_begun_is_named_with_a_link(room, browse):
    mei = browse("mei", "zh")
    key = key_of(mei.post("/designer/procedures/licence/change"))
    assert "/limits/rules/lic.handle" not in mei.get(f"/designer/drafts/{key}/compare").text
    sheet = rulebook.sheet(room.desk, "rules")
    row = rulebook.row_of(rule_rows(sheet.text), "lic.handle", None)
    day = room.calendar.local(room.clock()).date()
    changed = {**row, "limit": 8, "effective_from": day}
    rulebook.save_rule(room.desk, changed, replaces=("lic.handle", None), reason="新规", based_on=sheet.version, by="admin")
    for page in (f"/designer/drafts/{key}/compare", f"/designer/drafts/{key}/submit"):
        text = mei.get(page).text
        assert "/limits/rules/lic.handle" in text and "新规" in text, page


def test_the_page_of_versions_says_who_runs_on_what_and_lets_administrators_look(room, browse, open_case):
    mei, admin = browse("mei"), browse("admin")
    open_case()
    page = mei.get("/designer/procedures/licence").text
    assert "/operations/instances?process=licence&amp;version=1&amp;state=running" in page
    assert 'action="/designer/procedures/licence/change"' in page
    seen = admin.get("/designer/procedures/licence")
    assert seen.status_code == 200 and "/licence/change" not in seen.text and "/rollback" not in seen.text and "/drafts/" not in seen.text
    assert admin.post("/designer/procedures/licence/change").status_code == 403
    assert admin.post("/designer/procedures/licence/rollback", data={"deployment": 1, "reason": "x"}).status_code == 403


def archive(files: dict[str, bytes | str]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as made:
        for name, content in files.items():
            made.writestr(name, content)
    return out.getvalue()


def send(client, content: bytes, name="x.zip"):
    return client.post("/designer/import", data={"file": (io.BytesIO(content), name)}, content_type="multipart/form-data")


def test_an_archive_goes_out_and_comes_back_as_a_draft_that_knows_its_base(room, browse):
    mei = browse("mei")
    answer = mei.get("/designer/procedures/licence/export.zip")
    with zipfile.ZipFile(io.BytesIO(answer.data)) as opened:
        files = {name: opened.read(name) for name in opened.namelist()}
    history = json.loads(files["history.json"])
    assert history["process"] == "licence" and history["versions"][0]["number"] == 1 and "licence.bpmn" in files
    form = json.loads(files["licence_step.form"])
    form["components"].append({"type": "text", "id": "t", "text": "新"})
    back = send(mei, archive({**files, "licence_step.form": json.dumps(form), "photo.png": b"x", "forms/deep/other.txt": b"x"}))
    key = key_of(back)
    page = mei.get(f"/designer/drafts/{key}").text
    assert "photo.png" in page  # said to be left out
    with room.reading() as conn:
        draft = drafts.get(room.desk, conn, key, "mei")
    assert "photo.png" not in draft.files and draft.parts["licence_step.form"] == [("form", "licence_step", 1)]
    assert submit(mei, key).status_code == 302
    assert mei.get(f"/designer/drafts/{key}/export.zip").status_code == 200


def torn(method: int) -> bytes:
    """An archive whose one file was damaged on the way."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as made:
        made.writestr("a.bpmn", "一二三四五六七八九十" * 40)
    content = bytearray(out.getvalue())
    content[45:60] = b"\xff" * 15
    return bytes(content)


def test_archives_that_lead_out_swell_or_lie_are_refused(room, browse):
    mei = browse("mei")
    link = zipfile.ZipInfo("link.bpmn")
    link.external_attr = 0o120777 << 16
    linked = io.BytesIO()
    with zipfile.ZipFile(linked, "w") as made:
        made.writestr(link, "/etc/passwd")
    for content in (
        b"no zip", b"", archive({}), archive({"a.txt": "x"}), archive({"../../etc/x.bpmn": "x"}), archive({"/etc/x.bpmn": "x"}), archive({"C:\\x.bpmn": "x"}),
        archive({"a.bpmn": b"0" * (6 * 2**20)}), archive({f"{number}.bpmn": b"0" * (4 * 2**20) for number in range(6)}),
        archive({f"{number}.form": "{}" for number in range(400)}), archive({"a/procedure.yaml": "x", "b/procedure.yaml": "x"}),
        archive({"a.bpmn": b"\xff\xfe\x00\xd8"}), archive({"a.bpmn": "x\x00"}), linked.getvalue(), archive({"x.bpmn": "<a/>"})[:-30],
        archive({".": "x"}), torn(zipfile.ZIP_DEFLATED), torn(zipfile.ZIP_LZMA), torn(zipfile.ZIP_BZIP2),
    ):  # fmt: skip
        answer = send(mei, content)
        assert answer.status_code == 422, content[:60]
        assert 'role="alert"' in answer.text
    assert mei.post("/designer/import", data={}).status_code == 422


def test_an_uploaded_set_becomes_a_draft_where_a_second_person_must_approve(room, browse):
    mei = browse("mei")
    form = models.form("licence_step", "note", "grade", "reason")
    page = mei.post("/designer/check", data={"files": [(io.BytesIO(form), "licence_step.form")]}, content_type="multipart/form-data").text
    ticket = page.split('name="ticket" value="')[1].split('"')[0]
    answer = mei.post("/designer/publish", data={"ticket": ticket})
    assert answer.status_code == 302 and "/designer/drafts/" in answer.location
    assert room.definition("form", "licence_step").version == 1
    key = key_of(answer)
    refused = submit(mei, key)
    assert refused.status_code == 409  # nobody knows what it was made from, so it has to be compared
    submission = key_of(submit(mei, key, compared="1", seen=re.search(r'name="seen" value="([^"]+)"', refused.text)[1]))
    assert "licence_step.form" in mei.get(f"/designer/submissions/{submission}").text
    assert browse("tao").post(f"/designer/submissions/{submission}/approve", data={"revision": 1}).status_code == 302
    assert room.definition("form", "licence_step").version == 2


@pytest.mark.parametrize("name", ["ladders.bpmn", "deadline_rules.bpmn", "rooms/supervision_rules.BPMN"])
def test_no_file_name_leads_past_the_second_person(room, browse, name):
    mei = browse("mei")
    page = mei.post("/designer/check", data={"files": [(io.BytesIO(models.bpmn()), name)]}, content_type="multipart/form-data").text
    ticket = page.split('name="ticket" value="')[1].split('"')[0]
    before = room.definition("process", "licence").version
    answer = mei.post("/designer/publish", data={"ticket": ticket})
    assert answer.status_code == 302 and "/designer/drafts/" in answer.location
    assert room.definition("process", "licence").version == before


def test_the_list_of_submissions_costs_the_same_however_long_it_is(room, browse):
    mei, tao = browse("mei"), browse("tao")
    costs = []
    for number in range(3):
        submit(mei, begin(mei, title=f"请假{number}", process_id=f"leave{number}"))
        for page in ("/designer/submissions", "/designer"):
            tao.get(page)
            with statements(room) as sent:
                text = tao.get(page).text
            assert f"请假{number}" in text
            costs.append(len(selects(sent)))
    assert costs[0::2][1:] == costs[0::2][:-1] and costs[1::2][1:] == costs[1::2][:-1]


def test_nobody_is_said_to_be_told_where_there_is_nobody_else(engine, browse):
    object.__setattr__(engine.desk.settings, "design_second_approval", True)
    for login in ("designer", "admin"):
        person = engine.desk.person(login)
        if login == "admin":
            engine.desk.people.save_person(login, name=person.name, section_code=person.section_code, roles=["clerk"], by="system")
    client = browse("designer")
    page = client.get(submit(client, begin(client)).location).text
    assert "there is nobody else who may approve it" in page and "have been told" not in page


WARNED = "“判断” names the deadline rule “lic.gone”"


def with_warning(files: dict[str, str]) -> dict[str, str]:
    """The drawing with a step whose limit no rule has: a warning."""
    extension = '<zeebe:properties><zeebe:property name="deadline" value="lic.gone" /></zeebe:properties></bpmn:extensionElements>'
    return {"leave.bpmn": files["leave.bpmn"].replace('name="办理"', 'name="判断"').replace("</bpmn:extensionElements>", extension, 1)}


def test_the_second_person_reads_the_findings_that_the_first_one_accepted_and_those_that_are_new(room, browse):
    mei, tao = browse("mei", "en"), browse("tao", "en")
    key = begin(mei, process_id="leave")
    with room.reading() as conn:
        files = drafts.get(room.desk, conn, key, "mei").files
    assert put(mei, key, 1, with_warning(files)).status_code == 200
    submission = key_of(submit(mei, key, 2))
    page = tao.get(f"/designer/submissions/{submission}").text
    assert WARNED in html.unescape(page) and "梅 read these warnings at" in page and "publishes nevertheless" in page
    assert "Found since it was submitted" not in page and "none; 梅 publishes nevertheless" in page
    # The form of the step goes from the draft's files behind the back of both: it would stop the first case.
    with room.transaction(by="mei") as tx:
        rest = {name: text for name, text in (files | with_warning(files)).items() if name != "leave_handle.form"}
        tx.execute(update(tables.design_draft).where(tables.design_draft.c.key == key).values(files=rest))
    page = html.unescape(tao.get(f"/designer/submissions/{submission}").text)
    assert "Found since it was submitted; 梅 does not know of it." in page and "names the form “leave_handle”, which is not deployed" in page
    assert "1 error: not publishable" in page and WARNED in page
    assert tao.post(f"/designer/submissions/{submission}/approve", data={"revision": 1}).status_code == 422
    assert room.catalogue.find("process", "leave") is None
    with room.transaction(by="mei") as tx:
        tx.execute(update(tables.design_draft).where(tables.design_draft.c.key == key).values(files=files | with_warning(files)))
    assert tao.post(f"/designer/submissions/{submission}/approve", data={"revision": 1}).status_code == 302
    page = html.unescape(tao.get(f"/designer/submissions/{submission}").text)
    assert WARNED in page and "梅 read these warnings at" in page


def test_a_step_for_nobody_is_not_submitted_and_its_page_says_why(room, browse):
    mei = browse("mei", "en")
    key = begin(mei, process_id="leave")
    with room.reading() as conn:
        drawing = drafts.get(room.desk, conn, key, "mei").files["leave.bpmn"]
    answer = put(mei, key, 1, {"leave.bpmn": drawing.replace('<zeebe:assignmentDefinition assignee="=starter" />', "")})
    (problem,) = answer.json["problems"]
    assert (problem["rule"], problem["severity"], problem["elementId"]) == ("assignment.nobody", "error", "handle")
    page = mei.get(f"/designer/drafts/{key}/submit").text
    assert "is for nobody: it would lie in no inbox. Choose who does it." in page and "1 error: not publishable" in page
    assert submit(mei, key, 2).status_code == 422


def test_the_page_of_a_large_draft_stands_before_its_check_and_fetches_it_once(room, browse, monkeypatch):
    mei = browse("mei", "en")
    key = begin(mei, process_id="leave")
    with room.reading() as conn:
        files = drafts.get(room.desk, conn, key, "mei").files
    checked = []
    examined = checking._examined
    monkeypatch.setattr(checking, "_examined", lambda *given: checked.append(1) or examined(*given))
    monkeypatch.setattr(checking, "QUICK", 100)
    checking._kept.clear()
    page = mei.get(f"/designer/drafts/{key}").text
    assert "The drawing is large; it is being checked" in page and f'hx-get="/designer/drafts/{key}/findings"' in page and checked == []
    part = mei.get(f"/designer/drafts/{key}/findings", headers={"HX-Request": "true"}).text
    assert "No findings." in part and 'id="draft-errors"' in part and "<html" not in part and checked == [1]
    page = mei.get(f"/designer/drafts/{key}").text
    assert "No findings." in page and "being checked" not in page and checked == [1]
    # A save checks; the page after it has nothing left to do.
    put(mei, key, 1, with_warning(files))
    assert checked == [1, 1]
    assert WARNED in html.unescape(mei.get(f"/designer/drafts/{key}").text) and checked == [1, 1]
    assert browse("wang").get(f"/designer/drafts/{key}/findings").status_code in (403, 404)


def test_only_work_on_the_sheet_itself_is_put_aside_by_a_save_of_the_sheet(room, browse):
    mei = browse("mei", "en")
    key = begin(mei, process_id="leave")
    mei.put(f"/designer/drafts/{key}/autosave", json={"revision": 1, "file": "leave.bpmn", "content": "<half"})
    page = mei.get(f"/designer/drafts/{key}/sheet").text
    assert "Your editor kept work" not in page and "data-confirm-label" not in page
    assert put(mei, key, 1, {"procedure.yaml": "process: leave"}).status_code == 200
    with room.reading() as conn:
        assert drafts.autosaves(room.desk, conn, key, "mei")["leave.bpmn"].content == "<half"
    mei.put(f"/designer/drafts/{key}/autosave", json={"revision": 2, "file": "procedure.yaml", "content": "process: other"})
    assert "Your editor kept work on procedure.yaml" in mei.get(f"/designer/drafts/{key}/sheet?view=text").text
