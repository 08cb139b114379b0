"""Procedure design: the list, check → publish, limits of uploads, a version with its findings."""

from __future__ import annotations

import io
import zipfile

import pytest
from sqlalchemy import func, select

from engine.errors import ValidationFailed
from engine.store.tables import attachment, attachment_content, audit
from tests.desk import desk_models as models
from tests.web.rooms import app, browse, clock, engine, open_case  # noqa: F401  fixtures
from web.designer import uploads

NEW_FORM = models.form("licence_step", "note", "grade", "reason")


class Upload:
    def __init__(self, filename: str, content: bytes) -> None:
        self.filename, self._stream = filename, io.BytesIO(content)

    def read(self, size: int = -1) -> bytes:
        return self._stream.read(size)


def archive(files: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as made:
        for name, content in files.items():
            made.writestr(name, content)
    return out.getvalue()


def send(client, *files: tuple[str, bytes]):
    return client.post("/designer/check", data={"files": [(io.BytesIO(content), name) for name, content in files]}, content_type="multipart/form-data")


def ticket_of(page: str) -> str:
    return page.split('name="ticket" value="')[1].split('"')[0]


def test_the_list_shows_versions_and_running_instances(browse, open_case):
    open_case()
    open_case()
    page = browse("designer").get("/designer/definitions").get_data(as_text=True)
    assert "许可办理" in page
    assert "licence_start" in page
    assert "designer" in page or "设计员" in page


def test_only_designers_may_enter(browse):
    for login in ("du", "admin", "auditor", "li"):
        assert browse(login).get("/designer").status_code == 403, login
        assert browse(login).post("/designer/publish", data={"ticket": "x"}).status_code == 403, login


def test_files_are_checked_then_published_unchanged(browse, engine):
    client = browse("designer")
    checked = send(client, ("licence_step.form", NEW_FORM))
    assert checked.status_code == 200
    page = checked.get_data(as_text=True)
    assert "1 file checked: no error" in page
    assert engine.definition("form", "licence_step").version == 1
    assert client.post("/designer/publish", data={"ticket": ticket_of(page)}).status_code == 302
    assert engine.definition("form", "licence_step").version == 2
    with engine.reading() as conn:
        assert conn.execute(select(func.count()).select_from(attachment)).scalar_one() == 0
        assert conn.execute(select(func.count()).select_from(attachment_content)).scalar_one() == 0
    again = client.post("/designer/publish", data={"ticket": ticket_of(page)})
    assert again.status_code == 404
    assert "Upload them again" in again.get_data(as_text=True)


def test_a_ticket_is_of_no_use_to_somebody_else(browse, engine):
    engine.desk.people.save_person("designer2", name="另一人", section_code="office", roles=["designer"], by="admin")
    ticket = ticket_of(send(browse("designer"), ("licence_step.form", NEW_FORM)).get_data(as_text=True))
    assert browse("designer2").post("/designer/publish", data={"ticket": ticket}).status_code == 404
    assert engine.definition("form", "licence_step").version == 1


def test_errors_are_listed_with_line_and_label_and_cannot_be_published(browse):
    broken = models.bpmn().replace(b"<bpmn:timeDate>", b"<bpmn:timeDate>=overdue(").replace(b'targetRef="sign"', b'targetRef="nowhere"')
    answer = send(browse("designer"), ("licence.bpmn", broken))
    page = answer.get_data(as_text=True)
    assert answer.status_code == 422
    assert "not publishable" in page
    assert 'name="ticket"' not in page
    assert "licence.bpmn" in page


def test_a_zip_is_unpacked_with_its_folders(browse, engine):
    client = browse("designer")
    content = archive({**models.files(), "README.md": b"not deployed", "__MACOSX/x.bpmn": b"junk"})
    page = send(client, ("all.zip", content)).get_data(as_text=True)
    assert "processes/licence/procedure.yaml" in page
    assert client.post("/designer/publish", data={"ticket": ticket_of(page)}).status_code == 302
    assert engine.definition("process", "licence").version == 1  # the same content makes no new version


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ([], "at least one"),
        ([("big.bpmn", b" " * (uploads.FILE_LIMIT + 1))], "larger than 5 MB"),
        ([("a.zip", b"no zip")], "not a zip"),
        ([("a.zip", archive({"../../etc/x.bpmn": b"x"}))], "leads out"),
        ([("a.zip", archive({"bomb.bpmn": b"0" * (uploads.FILE_LIMIT + 1)}))], "larger than 5 MB"),
        ([("a.zip", archive({f"{n}.bpmn": b"0" * (4 * uploads.MEGABYTE) for n in range(14)}))], "larger than 50 MB"),
        ([("a.form", b"1"), ("a.form", b"2")], "sent twice"),
        ([("a.zip", archive({f"{n}.form": b"{}" for n in range(uploads.FILES_LIMIT + 1)}))], "at once"),
    ],
)
def test_uploads_out_of_bounds_are_refused_in_words(files, words):
    with pytest.raises(ValidationFailed, match=words):
        uploads.collect([Upload(*file) for file in files])


def test_fifty_megabytes_are_refused_with_words_on_the_page(browse):
    # Written out by hand: the test client would leave the temporary file of so large a form open.
    head = b'--x\r\nContent-Disposition: form-data; name="files"; filename="big.bpmn"\r\n\r\n'
    body = head + b"<" * (50 * uploads.MEGABYTE) + b"\r\n--x--\r\n"
    answer = browse("designer").post("/designer/check", data=body, content_type="multipart/form-data; boundary=x")
    assert answer.status_code == 422
    assert "larger than 5 MB" in answer.get_data(as_text=True)


def test_a_version_shows_its_drawing_and_downloads(browse, engine):
    client, key = browse("designer"), engine.definition("process", "licence").key
    page = client.get(f"/designer/{key}").get_data(as_text=True)
    assert "version-diagram" in page
    assert f"/designer/{key}/file?show=1" in page
    answer = client.get(f"/designer/{key}/file")
    assert answer.data == models.bpmn()
    assert "licence-v1.bpmn" in answer.headers["Content-Disposition"]
    assert client.get(f"/designer/{engine.definition('rules', 'rules').key}").status_code == 200
    assert client.get(f"/designer/{engine.definition('form', 'licence_start').key}").status_code == 200
    assert client.get("/designer/12345").status_code == 404


def test_checking_and_publishing_leave_traces(browse, engine):
    client = browse("designer")
    client.post("/designer/publish", data={"ticket": ticket_of(send(client, ("licence_step.form", NEW_FORM)).get_data(as_text=True))})
    with engine.reading() as conn:
        actions = set(conn.execute(select(audit.c.action).where(audit.c.by == "designer")).scalars())
    assert "definition.check" in actions
    assert len(actions) > 1
