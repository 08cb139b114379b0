"""The ways out of the house for notifications, besides e-mail: chat robots, a signed webhook, text messages by an implementation of the office.

Each is a worker for the jobs ``notify.CHANNEL`` that :mod:`engine.runtime.telling.deliveries` plans.  Keys come from the environment and stand
neither in the settings, nor in the database, nor in any log or error sentence:

``BANJIE_WECOM_KEY``         the key of the WeCom robot (the last part of its webhook address)
``BANJIE_DINGTALK_TOKEN``    the access token of the DingTalk robot …
``BANJIE_DINGTALK_SECRET``   … and the secret it signs with (``SEC…``)
``BANJIE_WEBHOOK_SECRET``    the secret of the generic webhook, at least 32 characters
"""

from engine.workers.channels.setup import channel_workers

__all__ = ["channel_workers"]
