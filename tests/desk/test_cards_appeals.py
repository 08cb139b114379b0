"""Appeals against cards: who, until when, and who decides."""

from __future__ import annotations

from datetime import date

import pytest

from engine.errors import Conflict, InvalidState, NotFound, NotPermitted, ValidationFailed
from engine.runtime.supervision import appeals, cards
from engine.store import tables
from tests.desk import desk_models as models
from tests.desk.test_cards import only


@pytest.fixture
def card(engine, desk, in_handling, open_task, clock, rows):
    """A warning to Li, who let a step run out; issued on Tuesday 2026-12-01."""
    engine.deploy(only("step"), by="designer")
    desk.people.import_organisation(sections=models.SECTIONS, roles=models.ROLES, people=[models.person("du2", "督二", "leaders", "supervisor")], by="system")
    desk.claim(open_task(in_handling.key, "handle").key, by="li")
    clock.office("2026-12-01 09:00")
    engine.run_due()
    (row,) = rows(tables.card)
    assert row["to_login"] == "li" and row["appeal_until"] == date(2026, 12, 8)
    return row


def now(rows):
    (row,) = rows(tables.card)
    return row["state"]


def test_the_addressee_appeals_with_a_paper_and_supervision_revokes(desk, engine, card, rows):
    appeals.appeal(desk, card["key"], "企业停电，现场核查推迟", filename="停电通知.txt", content="停电两日".encode(), by="li")
    assert now(rows) == "APPEALED"
    assert {row["login"] for row in rows(tables.notification, kind="card") if "appeals against" in row["msgid"]} == {"du", "du2"}
    with engine.reading() as conn:
        (_, appealed) = cards.steps(conn, card["key"])
        assert (appealed.action, appealed.actor, appealed.filename) == ("appeal", "li", "停电通知.txt")
        assert appeals.paper(desk, conn, card["key"], appealed.attachment_key, "du").content.decode() == "停电两日"
        with pytest.raises(NotFound):
            appeals.paper(desk, conn, card["key"], appealed.attachment_key, "zhao")
    appeals.decide(desk, card["key"], revoke=True, reason="情况属实", by="du")
    assert now(rows) == "REVOKED"
    assert {row["login"] for row in rows(tables.notification, kind="card") if "was revoked" in row["msgid"]} == {"li", "chen"}
    assert [row["action"] for row in rows(tables.trail) if row["action"].startswith("card")] == ["card", "card_appeal", "card_revoke"]
    assert {"card.issue", "card.appeal", "card.revoke"} <= {row["action"] for row in rows(tables.audit)}


def test_an_upheld_card_stays_and_cannot_be_appealed_against_again(desk, card, rows):
    appeals.appeal(desk, card["key"], "理由", by="chen")
    appeals.decide(desk, card["key"], revoke=False, reason="不成立", by="du")
    assert now(rows) == "UPHELD"
    with pytest.raises(InvalidState, match="decided already"):
        appeals.appeal(desk, card["key"], "再申诉", by="li")
    with pytest.raises(InvalidState, match="decided already"):
        appeals.decide(desk, card["key"], revoke=True, reason="改", by="du")


def test_the_last_day_is_in_time_until_closing(desk, card, clock, rows):
    clock.office("2026-12-08 17:31")
    with pytest.raises(InvalidState, match="ended on 2026-12-08"):
        appeals.appeal(desk, card["key"], "晚了", by="li")
    clock.office("2026-12-08 17:30")
    appeals.appeal(desk, card["key"], "还来得及", by="li")
    assert now(rows) == "APPEALED"


def test_only_whom_it_concerns_appeals_and_a_deputy_does_so_for_the_principal(desk, card, rows):
    for stranger, refusal in (("zhao", NotFound), ("sun", NotFound), ("du", NotPermitted)):
        with pytest.raises(refusal):
            appeals.appeal(desk, card["key"], "理由", by=stranger)
    assert [row["reason"] for row in (each["details"] for each in rows(tables.audit, action="access.refused")) if row["reason"] == "not addressed"]
    desk.save_deputy("li", "zhao", date(2026, 12, 1), date(2026, 12, 31), by="li")
    appeals.appeal(desk, card["key"], "代李强申诉", by="zhao")
    assert rows(tables.card_step, action="appeal")[0]["on_behalf_of"] == "li"


def test_supervision_that_is_concerned_does_not_decide(desk, engine, card, rows):
    appeals.appeal(desk, card["key"], "理由", by="li")
    with pytest.raises(NotPermitted, match="Only supervision"):
        appeals.decide(desk, card["key"], revoke=True, reason="x", by="wu")
    # Du stands in for Li, so it is as if he decided on his own card.
    desk.save_deputy("li", "du", date(2026, 12, 1), date(2026, 12, 31), by="li")
    with pytest.raises(NotPermitted, match="concerns you"):
        appeals.decide(desk, card["key"], revoke=True, reason="x", by="du")
    appeals.decide(desk, card["key"], revoke=True, reason="回避后由他人决定", by="du2")
    assert now(rows) == "REVOKED"


def test_where_all_of_supervision_is_concerned_the_head_of_the_office_decides(desk, card, rows):
    for supervisor in ("du", "du2"):
        desk.save_deputy("li", supervisor, date(2026, 12, 1), date(2026, 12, 31), by="li")
    appeals.appeal(desk, card["key"], "理由", by="chen")
    assert {row["login"] for row in rows(tables.notification, kind="card") if "appeals against" in row["msgid"]} == {"zheng"}
    appeals.decide(desk, card["key"], revoke=False, reason="不成立", by="zheng")
    assert now(rows) == "UPHELD"


def test_a_card_issued_in_error_is_revoked_without_an_appeal_but_not_upheld(desk, card, rows):
    with pytest.raises(InvalidState, match="nothing to uphold"):
        appeals.decide(desk, card["key"], revoke=False, reason="x", by="du")
    appeals.decide(desk, card["key"], revoke=True, reason="规则设错", by="du")
    assert now(rows) == "REVOKED"


def test_bad_input_is_refused_in_words_and_changes_nothing(desk, card, rows):
    with pytest.raises(ValidationFailed, match="Say why"):
        appeals.appeal(desk, card["key"], "  ", by="li")
    with pytest.raises(ValidationFailed, match="not what its name says"):
        appeals.appeal(desk, card["key"], "理由", filename="x.pdf", content=b"no", by="li")
    with pytest.raises(Conflict, match="changed by somebody else"):
        appeals.appeal(desk, card["key"], "理由", revision=7, by="li")
    with pytest.raises(ValidationFailed, match="rests on"):
        appeals.decide(desk, card["key"], revoke=True, reason="", by="du")
    assert now(rows) == "ISSUED" and rows(tables.attachment) == []


def test_a_revoked_card_is_not_issued_again(desk, engine, card, rows, clock):
    appeals.decide(desk, card["key"], revoke=True, reason="规则设错", by="du")
    clock.office("2026-12-01 10:00")
    engine.run_due()
    assert len(rows(tables.card)) == 1


def test_a_case_is_deleted_with_its_cards_and_their_papers(engine, desk, card, rows, in_handling):
    appeals.appeal(desk, card["key"], "理由", filename="a.txt", content=b"text", by="li")
    engine.delete_instance(in_handling.key, by="admin", force=True, reason="test")
    assert rows(tables.card) == rows(tables.card_step) == rows(tables.attachment) == rows(tables.attachment_content) == []
