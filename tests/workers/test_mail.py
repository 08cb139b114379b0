"""The mail worker, against a mail server of this machine."""

from __future__ import annotations

import asyncio
import email
import email.policy
import ssl
import threading
from email.utils import parsedate_to_datetime

import pytest
import trustme
from aiosmtpd.smtp import SMTP, AuthResult
from sqlalchemy import insert, select, update

from engine.runtime import administration
from engine.runtime.desk import OPERATOR
from engine.store import tables
from engine.store.types import new_key
from engine.workers import BpmnError, JobFailed, Runner, WorkerSettings, all_workers
from engine.workers.mail import Mailer
from tests.bpmn.builder import boundary, error, mapped, service


class Post:
    """What the mail server does with what it is told; ``answers`` maps a command (or a recipient) to its reply."""

    def __init__(self):
        self.answers, self.mails = {}, []

    async def handle_MAIL(self, server, session, envelope, address, options):
        if "MAIL" in self.answers:
            return self.answers["MAIL"]
        envelope.mail_from = address
        return "250 OK"

    async def handle_RCPT(self, server, session, envelope, address, options):
        if address in self.answers:
            return self.answers[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        if "DATA" in self.answers:
            return self.answers["DATA"]
        message = email.message_from_bytes(envelope.content, policy=email.policy.default)
        self.mails.append((envelope.mail_from, envelope.rcpt_tos, message, session.authenticated))
        return "250 OK"


@pytest.fixture
def serve():
    """Start a mail server: ``serve(post, **options)`` gives its port."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    servers = []

    def do(coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, loop).result(30)

    def run(post, **options):
        made = do(loop.create_server(lambda: SMTP(post, hostname="mx.example.cn", loop=loop, **options), "127.0.0.1", 0))
        servers.append(made)
        return made.sockets[0].getsockname()[1]

    async def end():
        for each in servers:
            each.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for each in others:
            each.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    yield run
    do(end())
    loop.call_soon_threadsafe(loop.stop)
    thread.join(30)
    loop.close()


@pytest.fixture
def post():
    return Post()


@pytest.fixture
def settings(serve, post):
    return WorkerSettings(
        smtp_host="127.0.0.1", smtp_port=serve(post), smtp_tls="none", mail_from="desk@kjj.example.cn", smtp_timeout_seconds=10
    )


@pytest.fixture
def send(settings, job):
    """Send a mail: ``send({"to": …}, errorCode="X")``."""

    def run(variables, **headers):
        return Mailer(settings).send(job("mail", variables, **headers))

    return run


def failure(run, *arguments, **more):
    with pytest.raises(JobFailed) as failed:
        run(*arguments, **more)
    return failed.value


def test_a_mail_goes_to_whom_it_is_addressed(send, post, clock):
    answer = send(
        {
            "to": "li@a.cn, Wang <wang@a.cn>",
            "cc": ["zhao@b.cn"],
            "bcc": "qian@b.cn",
            "subject": "办件已办结 ✓",
            "text": "您好：\n已办结。",
            "replyTo": "kjj@c.cn",
        },
        resultVariable="mail",
    )
    ((sender, recipients, message, _),) = post.mails
    assert sender == "desk@kjj.example.cn" and recipients == ["li@a.cn", "wang@a.cn", "zhao@b.cn", "qian@b.cn"]
    assert (message["From"], message["To"], message["Cc"], message["Bcc"]) == (
        "desk@kjj.example.cn",
        "li@a.cn, Wang <wang@a.cn>",
        "zhao@b.cn",
        None,
    )
    assert (message["Subject"], message.get_content().replace("\r\n", "\n")) == ("办件已办结 ✓", "您好：\n已办结。\n")
    assert (message["Reply-To"], message["Auto-Submitted"]) == ("kjj@c.cn", "auto-generated")
    assert parsedate_to_datetime(message["Date"]) == clock()
    assert answer == {"mail": {"messageId": "<banjie-job-4711@kjj.example.cn>", "refused": []}}


def test_a_mail_that_goes_out_twice_bears_the_same_message_id(send, post):
    for _ in range(2):
        send({"to": "li@a.cn", "text": "x"})
    assert [mail[2]["Message-ID"] for mail in post.mails] == ["<banjie-job-4711@kjj.example.cn>"] * 2


def test_a_subject_cannot_bring_headers_or_recipients_along(send, post):
    send({"to": "li@a.cn", "subject": "a\r\nBcc: spy@evil.org\u2028X: y\x00z", "text": "hello\r\n.\r\nMAIL FROM:<x@y.cn>"})
    ((_, recipients, message, _),) = post.mails
    assert recipients == ["li@a.cn"] and message["Bcc"] is None
    assert message["Subject"] == "a Bcc: spy@evil.org X: y z"
    assert message.get_content().splitlines() == ["hello", ".", "MAIL FROM:<x@y.cn>"]


@pytest.mark.parametrize(
    "address",
    [
        "li", "@a.cn", "li@", "li@a.cn\r\nBcc: spy@evil.org", "li@a.cn\nDATA", "a b@c.cn", "li@a..cn", "<li@a.cn> x", "Li\n <li@a.cn>",
        '"x y"@a.cn', "李@a.cn", "li@[127.0.0.1]", "li@a.cn>\x00", 5, {"a": 1},
    ],
)  # fmt: skip
@pytest.mark.parametrize("field", ["to", "cc", "replyTo"])
def test_what_is_no_address_is_refused_and_not_tried_again(send, post, address, field):
    failed = failure(send, {"to": "li@a.cn", "text": "x", field: [address]})
    assert failed.retry is False
    assert post.mails == []


@pytest.mark.parametrize("to", [None, "", " , ", [], [""]])
def test_a_mail_without_recipients_is_refused(send, to):
    assert "no recipient" in str(failure(send, {"to": to, "text": "x"}))


def test_a_mail_to_too_many_is_refused(send):
    assert "100" in str(failure(send, {"to": [f"p{n}@a.cn" for n in range(101)], "text": "x"}))


@pytest.mark.parametrize(
    ("command", "reply", "retry"),
    [
        ("DATA", "451 try later", True), ("DATA", "554 spam", False), ("MAIL", "421 going down", True), ("MAIL", "550 not from you", False),
        ("li@a.cn", "450 mailbox busy", True), ("li@a.cn", "550 no such mailbox", False),
    ],
)  # fmt: skip
def test_what_the_server_refuses_for_now_is_tried_again_and_what_it_refuses_for_good_is_not(send, post, command, reply, retry):
    post.answers[command] = reply
    failed = failure(send, {"to": "li@a.cn", "text": "x"})
    assert failed.retry is retry
    assert reply[:3] in str(failed)


def test_a_refusal_for_good_may_be_an_error_of_the_process(send, post):
    post.answers["li@a.cn"] = "550 no such mailbox"
    with pytest.raises(BpmnError) as thrown:
        send({"to": "li@a.cn", "text": "x"}, errorCode="NO_MAIL")
    assert thrown.value.code == "NO_MAIL" and "550" in thrown.value.message
    post.answers["li@a.cn"] = "450 busy"
    assert failure(send, {"to": "li@a.cn", "text": "x"}, errorCode="NO_MAIL").retry is True


def test_who_is_refused_while_others_are_not_is_told(send, post):
    post.answers["gone@a.cn"] = "550 no such mailbox"
    assert send({"to": "gone@a.cn, li@a.cn", "text": "x"}, resultVariable="mail")["mail"]["refused"] == ["gone@a.cn"]
    assert post.mails[0][1] == ["li@a.cn"]


def test_a_server_that_is_not_there_is_tried_again(settings, job):
    import dataclasses
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        away = dataclasses.replace(settings, smtp_port=taken.getsockname()[1])
        assert failure(Mailer(away).send, job("mail", {"to": "li@a.cn"})).retry is True


def test_a_server_that_hangs_up_after_it_took_the_mail_has_taken_it(job):
    import socketserver

    class Rude(socketserver.StreamRequestHandler):
        def handle(self):
            for reply in ("220 hi", "250 ok", "250 ok", "250 ok", "354 go", "250 taken"):
                self.wfile.write(f"{reply}\r\n".encode())
                if reply.startswith("354"):
                    while self.rfile.readline().strip() != b".":
                        continue
                elif not reply.startswith("250 taken"):
                    self.rfile.readline()

    with socketserver.TCPServer(("127.0.0.1", 0), Rude) as server:
        thread = threading.Thread(target=server.handle_request, daemon=True)
        thread.start()
        settings = WorkerSettings(
            smtp_host="127.0.0.1", smtp_port=server.server_address[1], smtp_tls="none", mail_from="a@b.cn", smtp_timeout_seconds=10
        )
        assert Mailer(settings).send(job("mail", {"to": "li@a.cn", "text": "x"})) is None
        thread.join(10)


def test_signing_in_needs_encryption_whose_certificate_is_checked(serve, post, job):
    authority, context = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost", "127.0.0.1").configure_cert(context)

    def accept(server, session, envelope, mechanism, data):
        return AuthResult(success=(data.login, data.password) == (b"desk", b"secret"), handled=False)

    port = serve(post, tls_context=context, require_starttls=True, authenticator=accept, auth_require_tls=True)

    def mailer(trust=True, **settings):
        tls = ssl.create_default_context()
        if trust:
            authority.configure_trust(tls)
        chosen = {
            "smtp_host": "127.0.0.1",
            "smtp_port": port,
            "smtp_user": "desk",
            "smtp_password": "secret",
            "mail_from": "a@b.cn",
            **settings,
        }
        return Mailer(WorkerSettings(**chosen, smtp_timeout_seconds=10), tls=tls).send

    mail = job("mail", {"to": "li@a.cn", "text": "x"})
    mailer()(mail)
    assert post.mails[0][3] is True
    assert "certificate" in str(failure(mailer(trust=False), mail)).lower()
    assert failure(mailer(smtp_password="wrong"), mail).retry is False
    assert failure(mailer(smtp_tls="none"), mail).retry is False
    assert len(post.mails) == 1


def test_a_process_sends_a_mail(engine, deploy, settings, post):
    step = mapped(service("mail", subject='="关于 " + title', text="您的办件已办结。", errorCode="BOUNCED"), {"to": "=address"})
    deploy("p", "start -> j -> a -> end; e -> sorry -> end2", j=step, e=boundary("j", error("BOUNCED")))
    post.answers["gone@a.cn"] = "550 no such mailbox"
    sent, bounced = engine.start("p", {"address": "li@a.cn", "title": "高企"}), engine.start("p", {"address": "gone@a.cn", "title": "高企"})
    Runner(engine, all_workers(settings)).run_once()
    assert {task.instance_key: task.element_id for task in engine.user_tasks()} == {sent.key: "a", bounced.key: "sorry"}
    assert [mail[2]["Subject"] for mail in post.mails] == ["关于 高企"]


# --- the notices of the desk -------------------------------------------------------------------------------------------------


@pytest.fixture
def notice(engine):
    """Put a notice into the outbox, as a rung of a ladder does; gives its key."""

    def put(*logins):
        with engine.transaction() as tx:
            key = new_key()
            tx.execute(
                insert(tables.job).values(
                    key=key, type="notify.mail", state="CREATED", retries=3, headers={}, available_at=tx.now, created_at=tx.now,
                    payload={"logins": list(logins), "text": "411600-1 高企 — 受理期限：还剩 1 个工作日", "case_no": "411600-1"},
                )
            )  # fmt: skip
        return key

    return put


@pytest.fixture
def people(engine):
    """Li and Wang have addresses, Zhao has none, Qian has left."""
    desk = engine.desk
    administration.save_section(desk, "s1", name="一科", kind="section", parent_code=None, by=OPERATOR)
    for login, address in (("li", "li@a.cn"), ("wang", "wang@a.cn"), ("zhao", None), ("qian", "qian@a.cn")):
        desk.people.save_person(login, name=login, section_code="s1", email=address, by=OPERATOR)
    with engine.transaction() as tx:
        tx.execute(update(tables.person).where(tables.person.c.login == "qian").values(active=False))


def state(engine, key):
    with engine.reading() as conn:
        return conn.execute(select(tables.job.c.state).where(tables.job.c.key == key)).scalar_one()


def test_a_notice_goes_by_mail_to_those_who_have_an_address(engine, people, notice, settings, post):
    key = notice("li", "zhao", "wang", "qian", "nobody")
    Runner(engine, all_workers(settings)).run_once()
    ((_, recipients, message, _),) = post.mails
    assert recipients == ["li@a.cn", "wang@a.cn"]
    assert message["To"] == "desk@kjj.example.cn" and "li@a.cn" not in message.as_string()
    assert "还剩 1 个工作日" in message["Subject"] and "还剩 1 个工作日" in message.get_content()
    assert state(engine, key) == "COMPLETED"


def test_a_notice_that_nobody_can_get_is_not_called_sent(engine, people, notice, settings, post):
    key = notice("zhao")
    runner = Runner(engine, all_workers(settings))
    assert (runner.run_once(), runner.run_once()) == (1, 0)
    assert post.mails == [] and state(engine, key) == "CREATED"


def test_a_notice_waits_for_the_mail_server(engine, people, notice, settings, post, clock):
    from datetime import timedelta

    key = notice("li")
    post.answers["DATA"] = "451 try later"
    runner = Runner(engine, all_workers(settings))
    assert runner.run_once() == 1 and runner.run_once() == 0
    assert state(engine, key) == "CREATED"
    post.answers.clear()
    clock.advance(timedelta(minutes=1))
    runner.run_once()
    assert state(engine, key) == "COMPLETED" and len(post.mails) == 1
