"""From a notification to a message outside the house: written with it, sent once, put off, passed on, bundled, never lost."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from sqlalchemy import select, update
from sqlalchemy.exc import IntegrityError

from engine import Engine
from engine.errors import InvalidState, NotFound, NotPermitted, ValidationFailed
from engine.runtime.telling import deliveries, preferences
from engine.runtime.telling.notices import Notices
from engine.runtime.telling.preferences import Preference
from engine.store import tables
from engine.words import T
from tests.desk import desk_models as models
from tests.desk.conftest import SETTINGS

CHANNELS = ("mail", "wecom")
SOMETHING = T("something")


@pytest.fixture
def engine(database_url, clock):
    settings = {
        **SETTINGS,
        "outbox_channels": CHANNELS,
        "public_url": "https://banjie.example.cn/",
        "digest_more_than": 3,
        "delivery_attempts": 2,
    }
    made = Engine(database_url, clock=clock, settings=settings, node="test")
    made.desk.people.import_organisation(sections=models.SECTIONS, roles=models.ROLES, people=models.PEOPLE, by="system")
    with made.transaction() as tx:
        person = tables.person
        tx.execute(update(person).where(person.c.login != "sun").values(email=person.c.login + "@a.cn"))
    made.desk.people.forget()
    made.deploy(models.files(), by="designer")
    yield made
    made.dispose()


@pytest.fixture
def tell(engine):
    """Tell people something, as a command does."""

    def run(*logins, kind="urged", words=SOMETHING, by=None, **more):
        with engine.transaction(by=by) as tx:
            notices = Notices(tx.now, by)
            notices.tell(logins, kind, words, case_key=more.pop("case_key", None), **more)
            notices.post(engine.desk, tx)

    return run


@pytest.fixture
def mails(engine):
    """Jobs of a channel that are there to be done now."""

    def read(channel="mail"):
        return engine.activate_jobs(f"notify.{channel}", "w", timedelta(minutes=1), 100)

    return read


@pytest.fixture
def states(rows):
    """(login, state) of the deliveries of a channel."""
    return lambda channel="mail": [(row["login"], row["state"]) for row in rows(tables.delivery, channel=channel)]


@pytest.fixture
def alarms(rows):
    """Alarms to the administrator whose sentence holds a text (others, about the calendar, may be there as well)."""
    return lambda text: [row for row in rows(tables.notification, login="admin", kind="alarm") if text in row["msgid"]]


def choose(engine, login, **choice):
    preferences.save(engine.desk, Preference(**choice), by=login)


def test_a_delivery_is_written_with_its_notification_for_each_channel(engine, tell, rows):
    tell("li")
    (notice,) = rows(tables.notification, login="li")
    found = rows(tables.delivery)
    assert [(row["notification_key"], row["login"], row["channel"], row["state"]) for row in found] == [
        (notice["key"], "li", "mail", "QUEUED"), (notice["key"], "li", "wecom", "QUEUED"),
    ]  # fmt: skip


def test_a_notification_that_is_rolled_back_leaves_no_delivery(engine, rows):
    with pytest.raises(ZeroDivisionError), engine.transaction() as tx:
        notices = Notices(tx.now, None)
        notices.tell(["li"], "urged", T("something"), case_key=None)
        notices.post(engine.desk, tx)
        tx.flush()
        raise ZeroDivisionError
    assert rows(tables.notification) == rows(tables.delivery) == []


def test_there_is_one_delivery_for_a_notification_a_channel_and_a_person(engine, tell, rows):
    tell("li")
    (row, _) = rows(tables.delivery)
    with pytest.raises(IntegrityError), engine.transaction() as tx:
        tx.add(tables.delivery, **{**row, "key": row["key"] + 1})


def test_a_message_is_planned_once_and_what_came_of_it_is_written_with_the_job(engine, tell, mails, rows, states):
    tell("li")
    assert deliveries.dispatch(engine.desk) == 2
    assert deliveries.dispatch(engine.desk) == 0
    (job,) = mails()
    (row,) = rows(tables.delivery, channel="mail")
    assert job.variables["logins"] == ["li"] and job.variables["idempotency_key"] == f"banjie-delivery-{row['key']}"
    engine.complete_job(job.key, worker="w")
    assert states() == [("li", "SENT")]
    (row,) = rows(tables.delivery, channel="mail")
    assert row["attempts"] == 1 and row["ended_at"] is not None and row["next_attempt_at"] is None


def test_an_attempt_that_fails_is_told_in_words_and_the_last_one_ends_in_the_list(engine, tell, mails, rows, clock, alarms):
    tell("li")
    engine.run_due()
    (job,) = mails()
    engine.fail_job(job.key, 1, "the server is dead", timedelta(minutes=1), "w")
    (row,) = rows(tables.delivery, channel="mail")
    assert (row["state"], row["attempts"]) == ("QUEUED", 1) and str(deliveries.reason_of(_Row(row))) == "the server is dead"
    assert row["next_attempt_at"] == clock() + timedelta(minutes=1)
    clock.now += timedelta(minutes=1)
    (job,) = mails()
    engine.fail_job(job.key, 0, "still dead", timedelta(0), "w", {"words": {"msgid": "still %(x)s", "params": {"x": "dead"}}})
    (row,) = rows(tables.delivery, channel="mail")
    assert (row["state"], row["attempts"]) == ("FAILED", 2) and str(deliveries.reason_of(_Row(row))) == "still dead"
    assert len(alarms("cannot be delivered")) == 1
    assert not rows(tables.delivery, login="admin"), "an alarm about a dead channel does not go out by channels"


class _Row:
    def __init__(self, row):
        self.__dict__.update(row)


def test_administrators_are_told_of_a_dead_channel_once_a_day(engine, tell, mails, alarms, clock):
    for _ in range(2):
        tell("li")
        engine.run_due()
        (job,) = mails()
        engine.fail_job(job.key, 0, "dead", timedelta(0), "w")
        clock.now += timedelta(minutes=5)
    assert len(alarms("cannot be delivered")) == 1


def test_what_failed_is_sent_again_under_its_old_name_and_the_old_job_never_wakes(engine, tell, mails, rows, states):
    tell("li")
    engine.run_due()
    (first,) = mails()
    engine.fail_job(first.key, 0, "dead", timedelta(0), "w")
    (failed,) = rows(tables.delivery, channel="mail")
    assert deliveries.retry(engine.desk, keys=[failed["key"]], by="admin") == 1
    engine.run_due()
    (second,) = mails()
    assert second.key != first.key and second.variables["idempotency_key"] == first.variables["idempotency_key"]
    assert [row["state"] for row in rows(tables.job, key=first.key)] == ["CANCELED"]
    engine.complete_job(second.key, worker="w")
    assert states() == [("li", "SENT")] and mails() == []


def test_only_administrators_retry_and_give_up_and_only_what_failed(engine, tell, rows):
    tell("li")
    (row, _) = rows(tables.delivery)
    with pytest.raises(NotPermitted):
        deliveries.retry(engine.desk, by="li")
    with pytest.raises(NotPermitted):
        deliveries.give_up(engine.desk, [row["key"]], "no", by="li")
    with pytest.raises(InvalidState):
        deliveries.retry(engine.desk, keys=[row["key"]], by="admin")
    with pytest.raises(InvalidState):
        deliveries.give_up(engine.desk, [row["key"]], "no", by="admin")
    with pytest.raises(ValidationFailed):
        deliveries.give_up(engine.desk, [row["key"]], "  ", by="admin")


def test_giving_up_keeps_the_reason_and_is_audited(engine, tell, mails, rows):
    tell("li")
    engine.run_due()
    engine.fail_job(mails()[0].key, 0, "dead", timedelta(0), "w")
    (row,) = rows(tables.delivery, channel="mail")
    assert deliveries.give_up(engine.desk, [row["key"]], "told by telephone, 100 %", by="admin") == 1
    (row,) = rows(tables.delivery, channel="mail")
    assert row["state"] == "GIVEN_UP" and str(deliveries.reason_of(_Row(row))) == "Given up: told by telephone, 100 %"
    assert [entry["by"] for entry in rows(tables.audit, action="delivery.give_up")] == ["admin"]


def test_what_a_person_does_not_want_is_held_back_and_says_so(engine, tell, mails, states):
    choose(engine, "li", kinds={("urged", "mail"): False})
    tell("li", "zhao")
    engine.run_due()
    assert states() == [("li", "SUPPRESSED"), ("zhao", "QUEUED")]
    assert [job.variables["logins"] for job in mails()] == [["zhao"]]


def test_an_urgent_rung_goes_where_its_ladder_says_whatever_was_chosen(engine, tell, states):
    choose(engine, "li", kinds={("rung", "mail"): False})
    params = {"limit": "承办", "text": "x"}
    tell("li", kind="rung", words=T("%(limit)s %(text)s", **params), ordered=("mail",), level=2)
    tell("li", kind="rung", words=T("%(limit)s! %(text)s", **params), ordered=("mail",), level=3)
    engine.run_due()
    assert sorted(state for _, state in states()) == ["QUEUED", "SUPPRESSED"]


def test_quiet_hours_put_off_and_do_not_lose(engine, tell, mails, rows, states, clock):
    clock.office("2026-11-23 22:30")
    tell("li")
    engine.run_due()
    assert states() == [("li", "DELAYED")] and mails() == []
    clock.office("2026-11-24 07:29")
    engine.run_due()
    assert states() == [("li", "DELAYED")]
    clock.office("2026-11-24 07:30")
    engine.run_due()
    assert states() == [("li", "QUEUED")] and len(mails()) == 1


def test_urgent_ones_break_the_quiet_hours_of_who_allows_it(engine, tell, states, clock):
    clock.office("2026-11-28 12:00")  # a Saturday
    choose(engine, "li", urgent_anytime=True)
    tell("li", "zhao", kind="rung", words=T("%(limit)s: %(text)s", limit="x", text="y"), ordered=("mail",), level=3)
    engine.run_due()
    assert states() == [("li", "QUEUED"), ("zhao", "DELAYED")]


def test_a_person_on_leave_is_told_and_so_is_the_deputy_noted_on_both(engine, tell, mails, rows, states):
    engine.desk.save_deputy("li", "zhao", date(2026, 11, 23), date(2026, 11, 25), by="admin")
    tell("li")
    (own,), (other,) = rows(tables.notification, login="li"), rows(tables.notification, login="zhao")
    assert own["note"] == {"msgid": "Also told to the deputy: %(names)s", "params": {"names": "赵敏"}}
    assert other["note"] == {"msgid": "For %(name)s", "params": {"name": "李强"}}
    engine.run_due()
    assert states() == [("li", "QUEUED"), ("zhao", "QUEUED")]
    assert [job.variables["subject"] for job in mails()] == [
        "There is news for you in Banjie.",
        "(for 李强) There is news for you in Banjie.",
    ]


def test_a_deputy_who_is_told_anyway_hears_it_once(engine, tell, rows):
    engine.desk.save_deputy("li", "zhao", date(2026, 11, 23), date(2026, 11, 25), by="admin")
    tell("li", "zhao")
    assert len(rows(tables.notification, login="zhao")) == 1


def test_without_an_own_address_the_message_is_the_deputys(engine, tell, states, rows):
    engine.desk.save_deputy("sun", "zhao", date(2026, 11, 23), date(2026, 11, 25), by="admin")
    tell("sun")
    engine.run_due()
    assert states() == [("sun", "DEPUTY"), ("zhao", "QUEUED")]
    assert not rows(tables.notification, login="zhou")


def test_without_an_address_the_chief_is_told_in_the_bell_and_the_administrators_once(engine, tell, states, rows, alarms):
    tell("sun")
    tell("sun", words=T("something else"))
    engine.run_due()
    assert states() == [("sun", "FALLBACK"), ("sun", "FALLBACK")]
    told = rows(tables.notification, login="zhou")
    assert {row["kind"] for row in told} == {"notice"} and "孙丽" in str(told[0]["params"])
    assert len(alarms("cannot be reached")) == 1


def test_what_is_for_somebody_who_has_left_reaches_the_section_chief_and_the_administrators(engine, tell, rows, states, alarms):
    with engine.transaction() as tx:
        tx.execute(update(tables.person).where(tables.person.c.login == "gone").values(active=False))
    engine.desk.people.forget()
    tell("gone")
    (row,) = rows(tables.notification, login="chen")
    assert row["note"]["msgid"] == "Instead of %(name)s, who has left"
    engine.run_due()
    assert ("chen", "QUEUED") in states() and ("gone", "FALLBACK") in states()
    assert alarms("has left")


def test_the_chief_who_is_told_instead_may_be_on_leave_and_a_deputy_s_deputy_hears_nothing(engine, tell, rows):
    with engine.transaction() as tx:
        tx.execute(update(tables.person).where(tables.person.c.login == "gone").values(active=False))
    engine.desk.people.forget()
    for absent, deputy in (("chen", "zhao"), ("zhao", "li")):
        engine.desk.save_deputy(absent, deputy, date(2026, 11, 23), date(2026, 11, 25), by="admin")
    tell("gone")
    assert [row["note"]["msgid"] for row in rows(tables.notification, login="chen")] == ["Also told to the deputy: %(names)s"]
    assert len(rows(tables.notification, login="zhao")) == 1
    assert not rows(tables.notification, login="li")


def test_many_at_once_go_out_as_one_digest_for_each_person_and_channel(engine, tell, mails, rows, states):
    for number in range(4):
        tell("li", kind="urged", words=T("number %(n)d", n=number))
    for number in range(3):
        tell("zhao", kind="urged", words=T("number %(n)d", n=number))
    engine.run_due()
    jobs = mails()
    assert sorted((job.variables["logins"][0], job.variables["count"]) for job in jobs) == [
        ("li", 4),
        ("zhao", 1),
        ("zhao", 1),
        ("zhao", 1),
    ]
    bundle = next(job for job in jobs if job.variables["count"] == 4)
    assert bundle.variables["subject"] == "4 messages of Banjie, together" and "4. " in bundle.variables["text"]
    engine.complete_job(bundle.key, worker="w")
    assert [row["bundle"] for row in rows(tables.delivery, login="li", channel="mail", state="SENT")] == [4, 4, 4, 4]


def test_the_rungs_of_an_outage_go_out_as_one_digest_and_none_is_lost(engine, desk, clock, rows, open_task, mails):
    cases = [desk.start_case("licence", models.START, by="wang") for _ in range(4)]
    for case in cases:
        desk.complete_task(open_task(case.key, "accept").key, {}, outcome="accept", by="wang")
    engine.run_due()
    for job in mails():
        engine.complete_job(job.key, worker="w")
    clock.office("2026-12-03 10:00")
    engine.run_due()
    told = [job for job in mails() if job.variables["logins"] == ["wu"]]
    assert [job.variables["count"] for job in told] == [4]
    wanted = {row["key"] for row in rows(tables.notification, login="wu", kind="rung")}
    assert {row["notification_key"] for row in rows(tables.delivery, login="wu", channel="mail")} == wanted and len(wanted) == 4


def test_while_rungs_of_an_outage_are_still_to_fire_their_messages_wait_for_each_other(engine, in_handling, clock, tell, states):
    clock.office("2026-12-03 10:00")
    words = T("%(limit)s: %(text)s", limit="承办", text="x")
    tell("li", kind="rung", words=words, ordered=("mail",), level=3)
    tell("zhao")
    deliveries.dispatch(engine.desk)
    assert ("zhao", "QUEUED") in states()
    assert planned(engine) == ["zhao"], "the rungs of this case are late and have not fired yet"
    clock.now += deliveries.LONGEST_HOLD
    deliveries.dispatch(engine.desk)
    assert sorted(planned(engine)) == ["li", "zhao"]


def planned(engine):
    """Who has a message planned by mail, of those told here."""
    with engine.reading() as conn:
        row = tables.delivery.c
        found = select(row.login).where(row.channel == "mail", row.job_key.is_not(None), row.login.in_(["li", "zhao"]), row.kind.in_(["rung", "urged"]))
        return list(conn.execute(found).scalars())


def test_nothing_confidential_leaves_the_house(engine, desk, rows, mails):
    desk.start_case("licence", {**models.START, "subject": "举报某某受贿", "applicant_name": "张三丰", "secret": True}, by="wang")
    desk.urge(rows(tables.case_file)[0]["key"], "张三丰来催过", by="du")
    engine.run_due()
    sent = [job.variables for channel in CHANNELS for job in mails(channel)]
    assert sent and all(word not in str(each) for each in sent for word in ("张三丰", "举报", "13800000000"))
    assert any("411600-" in each["subject"] for each in sent)
    assert all(each["url"].startswith("https://banjie.example.cn/") for each in sent)


def test_a_robot_is_given_its_messages_at_a_distance(engine, tell, rows, clock):
    for login in ("li", "zhao", "chen"):
        tell(login)
    engine.run_due()
    assert [row["available_at"] - clock() for row in rows(tables.job, type="notify.wecom")] == [timedelta(seconds=3 * n) for n in range(3)]
    assert {row["available_at"] - clock() for row in rows(tables.job, type="notify.mail")} == {timedelta(0)}


def test_a_test_message_ignores_quiet_hours_and_choices(engine, clock, mails, states):
    clock.office("2026-11-28 23:00")
    deliveries.send_test(engine.desk, "mail", by="admin")
    engine.run_due()
    (job,) = mails()
    assert job.variables["logins"] == ["admin"] and job.variables["kind"] == "test" and job.retries == 1
    with pytest.raises(NotFound):
        deliveries.send_test(engine.desk, "dingtalk", by="admin")
    with pytest.raises(NotPermitted):
        deliveries.send_test(engine.desk, "mail", by="li")


def test_two_nodes_plan_each_message_once(engine, database_url, clock, tell, rows, mails):
    other = Engine(database_url, clock=clock, settings={**SETTINGS, "outbox_channels": CHANNELS}, node="other")
    try:
        tell("li", "zhao")
        assert deliveries.dispatch(engine.desk) + deliveries.dispatch(other.desk) == 4
        assert len(mails()) == 2
    finally:
        other.dispose()


def test_messages_speak_the_language_of_the_reader(engine, tell, mails):
    engine.desk.translator = lambda language: lambda msgid: f"[{language}] {msgid}"
    tell("li")
    engine.run_due()
    assert mails()[0].variables["subject"].startswith("[zh] ")


def test_every_kind_that_somebody_is_told_of_can_be_chosen_and_has_words_of_its_own():
    """The kinds are read from the sources: one that a new command tells must not be forgotten here."""
    import re
    from pathlib import Path

    from engine.runtime.telling.notice_texts import SUBJECTS

    folder = Path(deliveries.__file__).parents[1]
    found = re.findall(r"\b(?:tell|_announce)\((?:[^()]|\([^()]*\))*?, \"([a-z_]+)\", words", "".join(each.read_text("utf-8") for each in folder.rglob("*.py")))
    assert {"assigned", "urged", "rung", "digest", "extended"} <= set(found) <= set(preferences.KINDS)
    assert set(preferences.KINDS) == set(SUBJECTS) - {"alarm", "test"}


def test_who_wants_no_summary_gets_none(engine, desk, in_handling, open_task, clock, rows):
    desk.claim(open_task(in_handling.key, "handle").key, by="zhao")
    choose(engine, "zhao", digest=False)
    clock.office("2026-11-24 08:30")
    engine.run_due()
    assert not rows(tables.notification, login="zhao", kind="digest")


def test_starting_a_case_costs_one_more_statement_for_its_deliveries(engine, desk):
    from tests.runtime.conftest import counted

    desk.start_case("licence", models.START, by="wang")
    with counted(engine) as counter:
        desk.start_case("licence", models.START, by="wang")
    assert sum("delivery" in statement for statement in counter.statements) <= 1
