"""The settings of the workers, as a plain value: whoever starts them reads it from ``config.yaml``."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class WorkerSettings:
    """Every knob of the workers.

    ``workers``                  modules with functions marked ``@worker``.
    ``workers_in_process``       job types that ``banjie serve`` does itself; ``*``: all that are set up.
    ``worker_threads``           jobs done at the same time by one process.
    ``worker_poll_seconds``      how often an idle process looks for jobs.
    ``http_hosts``               hosts that the HTTP connector may call: ``name``, ``name:port`` or ``*.suffix``; none: there is no connector.
    ``http_internal_hosts``      the same for hosts with private addresses.
    ``http_timeout_seconds``     the longest a call may take, from looking up the host to the last byte.
    ``http_response_max_bytes``  the largest answer.
    ``smtp_host``                the mail server; empty: there is no mail worker.
    ``smtp_tls``                 ``starttls``, ``tls`` (from the first byte) or ``none``.
    ``smtp_user``                empty: no sign-in.
    ``mail_from``                the sender's address.
    ``wecom_url``, ``dingtalk_url``  addresses of the robots' service; empty: the vendor's.  Their keys come from the environment.
    ``webhook_url``              the generic signed webhook; empty: there is none.
    ``sms_sender``               ``module:Class`` of the office's own sender of text messages; empty: there is none.
    """

    workers: tuple[str, ...] = ()
    workers_in_process: tuple[str, ...] = ("*",)
    worker_threads: int = 2
    worker_poll_seconds: int = 2
    http_hosts: tuple[str, ...] = ()
    http_internal_hosts: tuple[str, ...] = ()
    http_timeout_seconds: int = 30
    http_response_max_bytes: int = 1024 * 1024
    smtp_host: str = ""
    smtp_port: int = 587
    smtp_tls: str = "starttls"
    smtp_user: str = ""
    smtp_password: str = dataclasses.field(default="", repr=False)
    smtp_timeout_seconds: int = 30
    mail_from: str = ""
    wecom_url: str = ""
    dingtalk_url: str = ""
    webhook_url: str = ""
    sms_sender: str = ""

    @classmethod
    def of(cls, source: Any) -> WorkerSettings:
        """From settings as they come: ``None``, a mapping or a dataclass (other keys are other people's), or this class."""
        if isinstance(source, cls):
            return source
        if source is None:
            return cls()
        read = source.get if isinstance(source, Mapping) else lambda name, default: getattr(source, name, default)
        return cls(**{field.name: read(field.name, field.default) for field in dataclasses.fields(cls)})
