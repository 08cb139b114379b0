"""A mail server that is dead: attempts with growing pauses, then the list of failed deliveries, then exactly one mail."""

from __future__ import annotations

import socket
from datetime import time, timedelta

import pytest
from sqlalchemy import select, update

from engine import Engine
from engine.runtime.telling import deliveries
from engine.runtime.telling.notices import Notices
from engine.store import tables
from engine.words import T
from engine.workers import Runner, WorkerSettings, all_workers
from tests.desk import desk_models as models
from tests.workers.test_mail import Post, serve

__all__ = ["serve"]


@pytest.fixture
def office(database_url, clock):
    settings = {"outbox_channels": ("mail",), "delivery_attempts": 3, "password_memory_kib": 64}
    made = Engine(database_url, clock=clock, settings=settings, node="test")
    made.desk.people.import_organisation(sections=models.SECTIONS, roles=models.ROLES, people=models.PEOPLE, by="system")
    with made.transaction() as tx:
        tx.execute(update(tables.person).values(email=tables.person.c.login + "@a.cn"))
    made.desk.people.forget()
    yield made
    made.dispose()


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def runner(engine, port):
    settings = WorkerSettings(
        smtp_host="127.0.0.1", smtp_port=port, smtp_tls="none", mail_from="desk@kjj.example.cn", smtp_timeout_seconds=5
    )
    return Runner(engine, all_workers(settings))


def delivery(engine):
    with engine.reading() as conn:
        return conn.execute(select(tables.delivery)).one()


def test_a_dead_mail_server_is_tried_again_then_listed_and_retried_when_it_is_back_to_exactly_one_mail(office, clock, serve):
    clock.now = office.calendar.instant(office.calendar.next_workday(office.calendar.local(clock.now).date()), time(9))
    with office.transaction() as tx:
        notices = Notices(tx.now, None)
        notices.tell(["li"], "urged", T("something"), case_key=None)
        notices.post(office.desk, tx)
    dead, pauses = runner(office, free_port()), []
    for _ in range(3):
        office.run_due()
        assert dead.run_once() == 1 and dead.run_once() == 0
        row = delivery(office)
        pauses.append(row.next_attempt_at - clock.now if row.next_attempt_at else None)
        clock.now += timedelta(minutes=5)
    row = delivery(office)
    assert (row.state, row.attempts) == ("FAILED", 3) and pauses == [timedelta(minutes=1), timedelta(minutes=2), None]
    assert "cannot be reached" in str(deliveries.reason_of(row))
    with office.reading() as conn:
        assert (
            conn.execute(select(tables.notification.c.login).where(tables.notification.c.msgid.contains("cannot be delivered"))).scalar()
            == "admin"
        )
    post = Post()
    alive = runner(office, serve(post))
    office.run_due()
    assert alive.run_once() == 0, "what has failed waits for a person"
    deliveries.retry(office.desk, by="admin")
    office.run_due()
    for _ in range(3):
        alive.run_once()
        office.run_due()
    assert len(post.mails) == 1 and delivery(office).state == "SENT"
    assert post.mails[0][2]["Message-ID"] == f"<banjie-delivery-{row.key}@kjj.example.cn>"


def test_a_server_that_takes_the_mail_and_dies_gets_the_same_message_again_under_the_same_name(office, clock, serve):
    clock.now = office.calendar.instant(office.calendar.next_workday(office.calendar.local(clock.now).date()), time(9))
    deliveries.send_test(office.desk, "mail", by="admin")
    office.run_due()
    post = Post()
    alive = runner(office, serve(post))
    (lost,) = office.activate_jobs("notify.mail", "killed", timedelta(minutes=1), 1)
    clock.now += timedelta(minutes=2)
    alive.run_once()
    assert len(post.mails) == 1 and lost.variables["idempotency_key"] in post.mails[0][2]["Message-ID"]
    assert delivery(office).state == "SENT"
