"""Drafts and uploads: nothing typed is lost, nothing foreign is let in."""

from __future__ import annotations

import hashlib
import io
import zipfile

import pytest

from engine.errors import InvalidState, NotFound, NotPermitted, ValidationFailed
from engine.runtime.casework.attachments import clean_filename
from engine.store import tables
from tests.desk import desk_models as models

PDF = b"%PDF-1.7 test"


def archive(*names: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as made:
        for name in names:
            made.writestr(name, "x")
    return buffer.getvalue()


def test_a_refused_form_keeps_the_draft_and_a_submitted_one_drops_it(desk, case, open_task):
    task = open_task(case.key, "accept")
    desk.save_draft(f"task:{task.key}", {"note": "半成品"}, by="wang")
    desk.save_draft(f"task:{task.key}", {"note": "快好了"}, by="wang")
    with pytest.raises(ValidationFailed):
        desk.complete_task(task.key, {}, outcome="decline", by="wang")
    assert desk.draft(f"task:{task.key}", by="wang") == {"note": "快好了"}
    desk.complete_task(task.key, {}, outcome="accept", by="wang")
    assert desk.draft(f"task:{task.key}", by="wang") is None


def test_a_draft_is_its_writers_only_and_needs_a_form_one_may_fill_in(desk, case, open_task):
    task = open_task(case.key, "accept")
    with pytest.raises(NotFound):
        desk.save_draft(f"task:{task.key}", {}, by="sun")
    with pytest.raises(NotPermitted):
        desk.save_draft("start:licence", {}, by="li")
    with pytest.raises(NotFound):
        desk.save_draft("nonsense", {}, by="wang")
    with pytest.raises(ValidationFailed):
        desk.save_draft("start:licence", {"x": "长" * 1_000_000}, by="wang")


def test_uploads_of_the_start_form_become_the_cases(desk, rows, engine):
    mine = desk.upload("start:licence", "files::a", "营业执照.pdf", "text/html", PDF, by="wang")
    with pytest.raises(NotFound):
        desk.download(mine, "chen")
    case = desk.start_case("licence", {**models.START, "papers": "files::a"}, by="wang")
    (row,) = rows(tables.attachment)
    assert row["case_key"] == case.key and row["content_type"] == "application/pdf"
    assert row["checksum"] == hashlib.sha256(PDF).hexdigest() and row["size"] == len(PDF)
    found = desk.download(mine, "chen")
    assert found.content == PDF and found.filename == "营业执照.pdf"
    with pytest.raises(InvalidState):
        desk.remove_attachment(mine, by="wang")


def test_an_upload_on_a_task_belongs_to_its_case_and_may_be_taken_back_while_the_task_is_open(desk, case, open_task):
    task = open_task(case.key, "accept")
    key = desk.upload(f"task:{task.key}", "files::b", "核查.png", "", b"\x89PNG\r\n\x1a\n....", by="wang")
    desk.remove_attachment(key, by="wang")
    with pytest.raises(NotFound):
        desk.download(key, "wang")
    second = desk.upload(f"task:{task.key}", "files::b", "核查.png", "", b"\x89PNG\r\n\x1a\n....", by="wang")
    desk.complete_task(task.key, {}, outcome="accept", by="wang")
    with pytest.raises(InvalidState):
        desk.remove_attachment(second, by="wang")


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("空.pdf", b""), ("页面.html", b"<html>"), ("假.pdf", b"MZ\x90"), ("假.png", b"GIF89a"), ("没有扩展名", PDF),
        ("假.docx", archive("xl/workbook.xml")), ("假.xlsx", b"PK\x03\x04 broken"), ("二进制.txt", b"a\0b"), ("程序.exe", b"MZ"),
    ],
)  # fmt: skip
def test_what_is_not_what_its_name_says_is_refused(desk, rows, name, content):
    with pytest.raises(ValidationFailed):
        desk.upload("start:licence", "files::a", name, "application/pdf", content, by="wang")
    assert rows(tables.attachment) == []


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("公文.ofd", archive("OFD.xml", "Doc_0/Document.xml")), ("表.xlsx", archive("[Content_Types].xml", "xl/workbook.xml")),
        ("文.docx", archive("word/document.xml")), ("旧.doc", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1..."), ("清单.csv", "姓名,电话".encode("gb18030")),
        ("照片.JPG", b"\xff\xd8\xff\xe0"),
    ],
)  # fmt: skip
def test_office_files_are_recognised(desk, name, content):
    assert desk.upload("start:licence", "files::a", name, "", content, by="wang")


def test_too_large_a_file_is_refused_before_it_is_stored(desk):
    from engine.runtime.casework.attachments import recognise

    with pytest.raises(ValidationFailed) as refused:
        recognise("大.pdf", PDF, ("pdf",), 5)
    assert "MB" in str(refused.value)


@pytest.mark.parametrize(
    ("given", "kept"),
    [("C:\\文档\\a.pdf", "a.pdf"), ("../../etc/passwd", "passwd"), ("合同\u202efdp.pdf", "合同fdp.pdf"), ("a\r\nb.pdf", "ab.pdf")],
)
def test_file_names_lose_paths_and_tricks(given, kept):
    assert clean_filename(given) == kept


def test_a_very_long_file_name_keeps_its_extension():
    assert clean_filename("长" * 300 + ".pdf").endswith(".pdf") and len(clean_filename("长" * 300 + ".pdf")) <= 200
