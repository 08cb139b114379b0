"""The group robots of WeCom 企业微信 and DingTalk 钉钉: markdown messages to a chat group, with the person's name in front.

A robot speaks to a group, not to a person: everybody in the group reads it.  Both answer HTTP 200 whatever happens and say in
``errcode`` what came of it; both take 20 messages a minute.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from engine.workers.channels.sending import Answer, Sender, shortened
from engine.workers.registry import Worker
from engine.workers.work import JobContext, JobFailed

WECOM_URL = "https://qyapi.weixin.qq.com/cgi-bin/webhook/send"
DINGTALK_URL = "https://oapi.dingtalk.com/robot/send"
TOO_FAST = timedelta(seconds=60)
"""Both vendors count by the minute; DingTalk locks a robot for ten, which the doubling pauses of the worker reach."""
WECOM_LIMIT, DINGTALK_LIMIT = 4096, 20000
"""Bytes of UTF-8 in one markdown message."""

WECOM_CODES: dict[int, timedelta | None] = {-1: timedelta(seconds=30), 45009: TOO_FAST, 45033: TOO_FAST}
"""``errcode`` that passes by itself → the pause (全局错误码: -1 busy, 45009 and 45033 too many calls); every other one stays."""
DINGTALK_CODES: dict[int, timedelta | None] = {
    -1: timedelta(seconds=30),
    130101: TOO_FAST,
    130102: TOO_FAST,
    410100: TOO_FAST,
    430101: None,
}
"""The same for DingTalk (-1 busy, 130101 and 130102 too fast, 410100 too fast); 430101 unsafe link does not pass."""
_MARKS = re.compile(r"([\\`*_{}\[\]()#+\-!>|<])")


def plain(text: str) -> str:
    """``text`` so that nothing in it is a mark of markdown: data must not draw links or mention people."""
    return _MARKS.sub(r"\\\1", text)


def markdown(job: JobContext) -> tuple[str, str]:
    """Title and text of the message of a job."""
    given = job.variables
    title = str(given.get("subject") or "")
    lines = str(given.get("text") or title).splitlines()
    url = str(given.get("url") or "")
    body = "\n".join(plain(line) for line in lines if not (url and url in line))
    link = f"\n\n[{plain(title)}]({url})" if url else ""
    return title, f"**{plain(str(given.get('name') or ''))}**\n\n{body}{link}"


def judge(channel: str, answer: Answer, passing: Mapping[int, timedelta | None]) -> None:
    """Raise :class:`JobFailed` for what ``errcode`` says."""
    body: Any = answer.body
    code = body.get("errcode") if isinstance(body, Mapping) else None
    if code == 0:
        return
    if not isinstance(code, int):
        raise JobFailed("The robot of %(channel)s gave an answer that cannot be read.", channel=channel)
    pause = passing.get(code)
    said = shortened(str(body.get("errmsg") or ""), 300)
    raise JobFailed(
        "The robot of %(channel)s refuses: %(code)s %(said)s",
        retry=pause is not None,
        after=pause,
        channel=channel,
        code=str(code),
        said=said,
    )


class WeComRobot:
    """``key`` is the secret part of the robot's address; ``url`` is that of the vendor, or of a private installation."""

    def __init__(self, sender: Sender, url: str, key: str) -> None:
        self._sender, self._url, self._key = sender, url or WECOM_URL, key

    def workers(self) -> list[Worker]:
        return [Worker("notify.wecom", self.send, timeout=self._sender.lease, backoff=TOO_FAST)]

    def send(self, job: JobContext) -> None:
        """One markdown message.  Raises :class:`JobFailed`."""
        _, text = markdown(job)
        body = {"msgtype": "markdown", "markdown": {"content": shortened(text, WECOM_LIMIT)}}
        headers = {"Idempotency-Key": str(job.variables.get("idempotency_key") or job.idempotency_key)}
        answer = self._sender.post(job, self._url, json.dumps(body, ensure_ascii=False).encode(), headers, {"key": self._key})
        judge("WeCom", answer, WECOM_CODES)


class DingTalkRobot:
    """``token`` is the robot's access token, ``secret`` what it signs with; without a secret nothing is signed (加签 off)."""

    def __init__(self, sender: Sender, url: str, token: str, secret: str) -> None:
        self._sender, self._url, self._token, self._secret = sender, url or DINGTALK_URL, token, secret

    def workers(self) -> list[Worker]:
        return [Worker("notify.dingtalk", self.send, timeout=self._sender.lease, backoff=TOO_FAST)]

    def send(self, job: JobContext) -> None:
        """One markdown message that mentions the person by telephone number.  Raises :class:`JobFailed`."""
        title, text = markdown(job)
        phone = job.phone_of(str((job.variables.get("logins") or [""])[0]))
        if phone:
            text = f"@{phone} {text}"
        body = {
            "msgtype": "markdown", "markdown": {"title": shortened(title, 200), "text": shortened(text, DINGTALK_LIMIT)},
            "at": {"atMobiles": [phone] if phone else [], "isAtAll": False},
        }  # fmt: skip
        query = {"access_token": self._token}
        if self._secret:
            stamp = int(job.now().timestamp() * 1000)
            query |= {"timestamp": str(stamp), "sign": dingtalk_sign(stamp, self._secret)}
        headers = {"Idempotency-Key": str(job.variables.get("idempotency_key") or job.idempotency_key)}
        answer = self._sender.post(job, self._url, json.dumps(body, ensure_ascii=False).encode(), headers, query)
        judge("DingTalk", answer, DINGTALK_CODES)


def dingtalk_sign(stamp: int, secret: str) -> str:
    """Base64 of HMAC-SHA256 over ``stamp`` (milliseconds), a line break and the secret, keyed by the secret (钉钉自定义机器人 加签)."""
    made = hmac.new(secret.encode(), f"{stamp}\n{secret}".encode(), hashlib.sha256).digest()
    return base64.b64encode(made).decode()
