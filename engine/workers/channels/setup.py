"""Which channels this installation has a sender for."""

from __future__ import annotations

import os
from collections.abc import Mapping

from engine.workers.channels.robots import DingTalkRobot, WeComRobot
from engine.workers.channels.sending import Sender
from engine.workers.channels.sms import TextMessages, load_sender
from engine.workers.channels.webhook import Webhook
from engine.workers.registry import Worker
from engine.workers.settings import WorkerSettings

WECOM_KEY, DINGTALK_TOKEN, DINGTALK_SECRET, WEBHOOK_SECRET = (
    "BANJIE_WECOM_KEY", "BANJIE_DINGTALK_TOKEN", "BANJIE_DINGTALK_SECRET", "BANJIE_WEBHOOK_SECRET",
)  # fmt: skip
SECRETS = frozenset({WECOM_KEY, DINGTALK_TOKEN, DINGTALK_SECRET, WEBHOOK_SECRET})


def channel_workers(settings: WorkerSettings, sender: Sender | None = None, environ: Mapping[str, str] = os.environ) -> list[Worker]:
    """The workers of the channels whose key is in the environment (or, for text messages, whose implementation is named).

    Raises :class:`engine.errors.EngineError` for a webhook with a short secret or an implementation that cannot be loaded.
    """
    found: list[Worker] = []
    wecom, dingtalk = environ.get(WECOM_KEY, ""), environ.get(DINGTALK_TOKEN, "")
    if (wecom or dingtalk or settings.webhook_url) and sender is None:
        sender = Sender(settings)
    if wecom and sender:
        found += WeComRobot(sender, settings.wecom_url, wecom).workers()
    if dingtalk and sender:
        found += DingTalkRobot(sender, settings.dingtalk_url, dingtalk, environ.get(DINGTALK_SECRET, "")).workers()
    if settings.webhook_url and sender:
        found += Webhook(sender, settings.webhook_url, environ.get(WEBHOOK_SECRET, "")).workers()
    if settings.sms_sender:
        found += TextMessages(load_sender(settings.sms_sender)).workers()
    return found
