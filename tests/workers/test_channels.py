"""Robots, the signed webhook and text messages, against a web server of this machine."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import logging
from datetime import timedelta
from urllib.parse import parse_qs, urlsplit

import pytest

from engine.errors import EngineError
from engine.workers import JobContext, JobFailed, WorkerSettings
from engine.workers.channels import channel_workers
from engine.workers.channels.robots import DINGTALK_LIMIT, WECOM_LIMIT, DingTalkRobot, WeComRobot, dingtalk_sign
from engine.workers.channels.sending import Sender, shortened
from engine.workers.channels.sms import TextMessages, load_sender
from engine.workers.channels.webhook import Webhook, verified

SECRET = "a shared secret of at least 32 characters"
MESSAGE = {
    "logins": ["li"], "name": "李强", "kind": "urged", "subject": "催办：411600-XK-20261123-0001", "short": "催办", "count": 1,
    "text": "催办：411600-XK-20261123-0001\n\n事项：许可办理\n打开：https://b.cn/task/7", "url": "https://b.cn/task/7", "case_no": "411600-1",
    "on_behalf_of": "", "idempotency_key": "banjie-delivery-17",
}  # fmt: skip


@pytest.fixture(autouse=True)
def phones(monkeypatch):
    """Account → telephone number, in place of the directory: the jobs of these tests have no database."""
    known = {"li": "13800000000"}
    monkeypatch.setattr(JobContext, "phone_of", lambda self, login: known.get(login))
    return known


@pytest.fixture
def sender(site):
    return Sender(WorkerSettings(http_internal_hosts=(site.host,), http_timeout_seconds=5))


@pytest.fixture
def paths():
    """Full request targets, with their queries; the site keeps the paths only."""
    seen = []

    def answer(status, body):
        def act(handler):
            seen.append(handler.path)
            content = json.dumps(body).encode()
            handler.send_response(status)
            handler.send_header("Content-Length", str(len(content)))
            handler.end_headers()
            handler.wfile.write(content)

        return act

    return seen, answer


def failure(run, *arguments):
    with pytest.raises(JobFailed) as failed:
        run(*arguments)
    return failed.value


def test_wecom_takes_a_markdown_message_under_its_key(site, sender, paths, job):
    seen, answer = paths
    site.answers["/send"] = answer(200, {"errcode": 0, "errmsg": "ok"})
    WeComRobot(sender, f"{site.url}/send", "KEY").send(job("notify.wecom", MESSAGE))
    body = json.loads(site.seen[0]["body"])
    assert parse_qs(urlsplit(seen[0]).query) == {"key": ["KEY"]}
    assert body["msgtype"] == "markdown" and body["markdown"]["content"].startswith("**李强**")
    assert "](https://b.cn/task/7)" in body["markdown"]["content"]


@pytest.mark.parametrize(("code", "retry", "after"), [(45009, True, 60), (-1, True, 30), (93000, False, None), (40008, False, None)])
def test_wecom_says_by_errcode_whether_to_come_back(site, sender, job, code, retry, after):
    site.answers["/send"] = (200, {}, {"errcode": code, "errmsg": "no"})
    failed = failure(WeComRobot(sender, f"{site.url}/send", "KEY").send, job("notify.wecom", MESSAGE))
    assert (failed.retry, failed.after) == (retry, None if after is None else timedelta(seconds=after))
    assert str(code) in str(failed) and "KEY" not in str(failed)


def test_dingtalk_is_signed_by_timestamp_and_secret(site, sender, paths, job, clock):
    seen, answer = paths
    site.answers["/robot"] = answer(200, {"errcode": 0})
    DingTalkRobot(sender, f"{site.url}/robot", "TOKEN", "SECabc").send(job("notify.dingtalk", MESSAGE))
    query = parse_qs(urlsplit(seen[0]).query)
    stamp = str(int(clock.now.timestamp() * 1000))
    expected = base64.b64encode(hmac.new(b"SECabc", f"{stamp}\nSECabc".encode(), hashlib.sha256).digest()).decode()
    assert query == {"access_token": ["TOKEN"], "timestamp": [stamp], "sign": [expected]}
    body = json.loads(site.seen[0]["body"])
    assert (
        body["msgtype"] == "markdown"
        and body["markdown"]["title"] == MESSAGE["subject"]
        and body["at"] == {"atMobiles": ["13800000000"], "isAtAll": False}
    )
    assert body["markdown"]["text"].startswith("@13800000000 ")


@pytest.mark.parametrize(("code", "retry"), [(130101, True), (310000, False), (430101, False), (-1, True)])
def test_dingtalk_says_by_errcode_whether_to_come_back(site, sender, job, code, retry):
    site.answers["/robot"] = (200, {}, {"errcode": code, "errmsg": "send too fast"})
    assert failure(DingTalkRobot(sender, f"{site.url}/robot", "TOKEN", "SECabc").send, job("notify.dingtalk", MESSAGE)).retry is retry


def test_the_sign_of_dingtalk_is_what_its_documentation_computes():
    assert (
        dingtalk_sign(1577262236757, "this is secret")
        == base64.b64encode(hmac.new(b"this is secret", b"1577262236757\nthis is secret", digestmod="sha256").digest()).decode()
    )


def test_an_answer_without_errcode_is_no_success(site, sender, job):
    site.answers["/send"] = (200, {}, "<html>a proxy's page</html>")
    assert failure(WeComRobot(sender, f"{site.url}/send", "KEY").send, job("notify.wecom", MESSAGE)).retry


def test_data_draws_no_links_and_mentions_nobody_in_markdown(site, sender, job):
    site.answers["/send"] = (200, {}, {"errcode": 0})
    given = {**MESSAGE, "text": "[click](https://evil.example) <@all>", "url": ""}
    WeComRobot(sender, f"{site.url}/send", "KEY").send(job("notify.wecom", given))
    content = json.loads(site.seen[0]["body"])["markdown"]["content"]
    assert "](https://evil" not in content and "<@all>" not in content


def test_long_messages_are_cut_between_characters(site, sender, job):
    site.answers["/send"] = (200, {}, {"errcode": 0})
    WeComRobot(sender, f"{site.url}/send", "KEY").send(job("notify.wecom", {**MESSAGE, "text": "长" * 5000, "url": ""}))
    content = json.loads(site.seen[0]["body"])["markdown"]["content"]
    assert len(content.encode()) <= WECOM_LIMIT < DINGTALK_LIMIT and content.endswith("…")
    assert shortened("短", 10) == "短"


def test_a_webhook_is_signed_so_that_its_receiver_can_tell(site, sender, job, clock):
    site.answers["/hook"] = (204, {}, "")
    Webhook(sender, f"{site.url}/hook", SECRET).send(job("notify.webhook", MESSAGE))
    (seen,) = site.seen
    body = seen["body"].encode()
    message = verified(SECRET, seen["headers"], body, clock.now)
    assert message is not None and message["id"] == "banjie-delivery-17" and message["login"] == "li"
    assert verified("another secret, just as long as it", seen["headers"], body, clock.now) is None
    assert verified(SECRET, seen["headers"], body + b" ", clock.now) is None
    assert verified(SECRET, seen["headers"], body, clock.now + timedelta(minutes=6)) is None
    assert verified(SECRET, {**seen["headers"], "Banjie-Delivery": "banjie-delivery-18"}, body, clock.now) is None
    assert verified(SECRET, {}, body, clock.now) is None


def test_a_webhook_bears_the_same_name_at_every_attempt(site, sender, job, clock):
    site.answers["/hook"] = (503, {"Retry-After": "120"}, "")
    hook = Webhook(sender, f"{site.url}/hook", SECRET)
    failed = failure(hook.send, job("notify.webhook", MESSAGE))
    assert failed.retry and failed.after == timedelta(seconds=120)
    clock.advance(timedelta(minutes=2))
    failure(hook.send, job("notify.webhook", MESSAGE))
    first, second = (each["headers"] for each in site.seen)
    assert first["Banjie-Delivery"] == second["Banjie-Delivery"] and first["Banjie-Signature"] != second["Banjie-Signature"]


def test_a_redirect_is_not_followed(site, sender, job):
    site.answers["/hook"] = (302, {"Location": f"{site.url}/other"}, "")
    failed = failure(Webhook(sender, f"{site.url}/hook", SECRET).send, job("notify.webhook", MESSAGE))
    assert not failed.retry and [each["path"] for each in site.seen] == ["/hook"]


def test_a_host_that_is_not_on_the_list_is_not_called(site, job):
    stranger = Sender(WorkerSettings(http_hosts=("qyapi.weixin.qq.com",)))
    failed = failure(WeComRobot(stranger, f"{site.url}/send", "KEY").send, job("notify.wecom", MESSAGE))
    assert not failed.retry and site.seen == [] and "http_hosts" in str(failed)


def test_a_dead_service_is_tried_again_and_no_key_is_shown(site, job, caplog):
    settings = WorkerSettings(http_internal_hosts=(site.host,), http_timeout_seconds=5)
    url = f"{site.url}/send"
    site.answers["/send"] = lambda handler: handler.connection.close()
    with caplog.at_level(logging.DEBUG):
        failed = failure(WeComRobot(Sender(settings), url, "TOP-SECRET-KEY").send, job("notify.wecom", MESSAGE))
    assert failed.retry and "TOP-SECRET-KEY" not in str(failed) + caplog.text


def test_no_key_is_written_to_the_log_of_a_call_that_succeeds(site, sender, job, caplog):
    site.answers["/send"] = (200, {}, {"errcode": 0})
    with caplog.at_level(logging.DEBUG):
        WeComRobot(sender, f"{site.url}/send", "TOP-SECRET-KEY").send(job("notify.wecom", MESSAGE))
    assert "TOP-SECRET-KEY" not in caplog.text


class Provider:
    """A provider of text messages, as an office would write one."""

    sent: list = []

    def send(self, phone, text, idempotency_key):
        self.sent.append((phone, text, idempotency_key))


class NoProvider:
    """Has no method ``send``."""


def test_text_messages_go_through_the_office_s_own_implementation(job):
    Provider.sent.clear()
    TextMessages(load_sender("tests.workers.test_channels:Provider")).send(job("notify.sms", MESSAGE))
    from tests.workers.test_channels import Provider as Loaded

    assert Loaded.sent == [("13800000000", "催办 https://b.cn/task/7", "banjie-delivery-17")]


def test_a_person_without_a_number_gets_no_text_message(job, phones):
    phones.clear()
    assert not failure(TextMessages(Provider()).send, job("notify.sms", MESSAGE)).retry


@pytest.mark.parametrize("place", ["tests.workers.test_channels:NoProvider", "no.such.module:X", "nonsense"])
def test_an_implementation_that_is_none_is_refused_at_the_start(place):
    with pytest.raises(EngineError, match="sms_sender"):
        load_sender(place)


def test_a_channel_has_a_worker_when_its_key_is_there():
    assert channel_workers(WorkerSettings(), environ={}) == []
    environ = {"BANJIE_WECOM_KEY": "k", "BANJIE_DINGTALK_TOKEN": "t", "BANJIE_WEBHOOK_SECRET": SECRET}
    found = channel_workers(
        WorkerSettings(webhook_url="https://a.cn/x", sms_sender="tests.workers.test_channels:Provider"), environ=environ
    )
    assert [each.type for each in found] == ["notify.wecom", "notify.dingtalk", "notify.webhook", "notify.sms"]
    with pytest.raises(EngineError, match="BANJIE_WEBHOOK_SECRET"):
        channel_workers(WorkerSettings(webhook_url="https://a.cn/x"), environ={})
