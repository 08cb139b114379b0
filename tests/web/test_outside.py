"""What people outside the office see: an applicant of the own case, everybody on the public list; never what is confidential."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from engine.store import tables
from tests.desk import desk_models as models

OPEN = "public: {show: columns, columns: [county, grade, title], after: [办理中]}\n"


def deploy(office, public: str, sheet: str = models.SHEET) -> None:
    text = sheet.replace("roles: [window]}\nconfidential", "roles: [window, enterprise]}\nconfidential") + public
    office.deploy({"processes/licence/procedure.yaml": text.encode()}, by="designer")


@pytest.fixture
def applicant(office, sign_in):
    """A firm that signs in, with the procedure open to it."""
    office.desk.people.import_organisation(
        sections=[*models.SECTIONS, {"code": "firms", "name": "申报企业", "kind": "external"}], roles=[*models.ROLES, {"code": "enterprise", "name": "企业"}],
        people=[*models.PEOPLE, models.person("firm", "某企业", "firms", "enterprise")], by="system",
    )  # fmt: skip
    deploy(office, OPEN)
    return sign_in("firm")


@pytest.fixture
def own(office, applicant, task_of):
    case = office.desk.start_case("licence", models.START, by="firm")
    office.desk.complete_task(task_of(case.key, "accept").key, {}, outcome="accept", opinion="内部意见", by="wang")
    return case


def test_an_applicant_sees_status_promise_and_public_columns_and_nothing_of_the_inside(applicant, own, sign_in):
    page = applicant.get(f"/case/{own.key}").text
    assert "办理中" in page and "川汇区" in page and "关于大棚改造的许可" in page
    for inside in ("内部意见", "王芳", "流转记录", "流程图", 'role="tabpanel"'):
        assert inside not in page
        if inside in ("内部意见", "王芳"):
            assert inside in sign_in("wang").get(f"/case/{own.key}").text
    assert "内部意见" not in applicant.get(f"/case/{own.key}/print").text
    assert applicant.get(f"/case/{own.key}/diagram/{own.key}.bpmn").status_code == 404


def test_columns_wait_for_the_status_that_the_sheet_names(office, applicant):
    deploy(office, OPEN.replace("办理中", "已办结"))
    case = office.desk.start_case("licence", models.START, by="firm")
    page = applicant.get(f"/case/{case.key}").text
    assert "受理审查" in page and "<dt>县区</dt>" not in page


def test_an_applicant_still_acts_in_the_own_case(applicant, own):
    page = applicant.get(f"/case/{own.key}").text
    assert f"/case/{own.key}/urge" in page
    assert applicant.post(f"/case/{own.key}/urge", data={"text": "请尽快"}).status_code == 302


def test_an_applicant_reads_the_own_documents_only(office, applicant, own, task_of):
    staff = office.desk.upload(f"task:{task_of(own.key, 'handle').key}", "report", "核查.pdf", "application/pdf", b"%PDF-1.4 x", by="li", case_key=own.key)
    assert applicant.get(f"/attachment/{staff}").status_code == 404
    assert "核查.pdf" not in applicant.get(f"/case/{own.key}").text
    mine = office.desk.upload("start:licence", "evidence", "证明.pdf", "application/pdf", b"%PDF-1.4 x", by="firm")
    assert applicant.get(f"/attachment/{mine}").status_code == 200


def test_the_public_list_shows_what_the_sheet_names_to_everybody(applicant, own, sign_in):
    for login in ("firm", "sun"):
        page = (applicant if login == "firm" else sign_in(login)).get("/public").text
        assert "川汇区" in page and "关于大棚改造的许可" in page and "办理中" in page
        assert "张三" not in page and "13800000000" not in page


@pytest.mark.parametrize(("public", "listed", "columns"), [("public: {show: none}\n", False, False), ("", False, False), ("public: {show: status}\n", True, False)])
def test_what_the_sheet_keeps_back_is_not_listed(office, applicant, own, public, listed, columns):
    deploy(office, public)
    office.run_due()
    page = applicant.get("/public?procedure=licence").text
    assert ("411600-XK-" in page) is listed and ("川汇区" in page) is columns


def test_a_case_opened_while_the_column_was_confidential_keeps_it_back(office, applicant, own):
    deploy(office, "public: {show: columns, columns: [applicant], after: [受理审查]}\n", models.SHEET.replace("fields: [applicant_name, applicant_phone]", "fields: [applicant_phone]"))
    newer = office.desk.start_case("licence", {**models.START, "applicant_name": "李四"}, by="wang")
    page = applicant.get("/public").text
    assert "李四" in page and "张三" not in page and newer.key


def test_an_older_case_becomes_public_with_the_sheet_that_says_so(office, new_case, rows_of):
    case = new_case()
    deploy(office, "public: {show: status, after: [受理审查]}\n")
    assert rows_of(case.key).public_at is None
    office.run_due()
    assert rows_of(case.key).public_at is not None


@pytest.fixture
def rows_of(office):
    def read(key: int):
        with office.reading() as conn:
            return conn.execute(tables.case_file.select().where(tables.case_file.c.key == key)).one()

    return read


@pytest.mark.parametrize("address", ["/orders", "/orders/export.xlsx", "/cards", "/cards/export.xlsx", "/cards/rules", "/cards/rules/export.xlsx", "/bulletins"])
def test_the_rooms_of_supervision_are_not_for_applicants(applicant, address):
    assert applicant.get(address).status_code == 403
    assert f'href="{address}"' not in applicant.get("/").text


def test_an_open_task_of_the_office_is_not_shown_to_the_applicant_and_one_that_is_over_leads_to_the_case(own, applicant, office):
    task = tables.user_task
    with office.reading() as conn:
        states = dict(conn.execute(select(task.c.state, task.c.key).where(task.c.root_key == own.key)).all())
    assert applicant.get(f"/task/{states['CREATED']}").status_code == 404
    with office.reading() as conn:
        refused = conn.execute(select(tables.audit.c.subject).where(tables.audit.c.action == "access.refused")).scalars().all()
    assert f"task:{states['CREATED']}" in refused
    page = applicant.get(f"/task/{states['COMPLETED']}")
    assert page.status_code == 302 and page.location.endswith(f"/case/{own.key}")
