"""The desk's settings, as a plain value: whoever builds the engine reads them from ``config.yaml``."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import time, timedelta
from typing import Any

from engine.deadlines.calendar import OfficeHours


@dataclass(frozen=True)
class DeskSettings:
    """Every knob of the case desk.

    ``region``                    the 6-digit administrative code in case numbers (周口 411600).
    ``office_hours``              the sessions of an office day, local times; ``None``: 08:30–12:00 and 14:30–17:30.
    ``lockout_failures``          failed sign-ins in a row after which an account is locked …
    ``lockout_minutes``           … and for how many minutes.
    ``upload_max_bytes``          largest attachment.
    ``upload_extensions``         file name extensions that may be uploaded; each must also look like what it says.
    ``acquirer_interval_seconds`` how often a node looks for due work; a rung fired later than twice this is marked late.
    ``clock_tolerance_seconds``   how far a node's clock may be off before it warns; it fires nothing earlier than that.
    ``cache_seconds``             how long a node may act on its picture of the organisation, the rules and the calendar
                                  before it looks whether another node changed them (its own changes show at once).
    ``notify_candidates_up_to``   a new task that nobody holds is announced to its candidates only if there are this few.
    ``outbox_channels``           the channels for which somebody runs a sender (``mail``, ``sms``, ``wecom``, ``dingtalk``,
                                  ``webhook``); without any, everything stays in the bell only.
    ``public_url``                where people reach the application, for the links in messages; empty: messages have no link.
    ``digest_more_than``          more messages than this for one person by one channel in one round go out as one digest.
    ``delivery_attempts``         attempts to send a message before it stands in the list of failed deliveries.
    ``history_level``             what is kept of instances whose process does not say: ``none``, ``activity`` or ``full``.
    ``history_ttl_days``          days after its end that a case may be deleted, where its process does not say; ``None``: never.
    ``order_number``              number rule of supervision orders; ``{year}`` and ``{serial}``, which begins anew each year.
    ``bulletin_number``           number rule of bulletins, drawn when one is issued.
    ``card_number``               the same of the cards of electronic supervision.
    ``design_second_approval``    whether a second person must agree before a procedure is published.
    ``design_runs_at_once``       runs of all scenarios of a draft that one node plays at the same time; further ones wait.
    ``password_min_length``       shortest password.
    ``password_memory_kib``       memory that checking one password costs (Argon2id), which is what makes guessing expensive.
    """

    region: str = "411600"
    office_hours: tuple[tuple[time, time], ...] | None = None
    lockout_failures: int = 5
    lockout_minutes: int = 15
    upload_max_bytes: int = 50 * 1024 * 1024
    upload_extensions: tuple[str, ...] = (
        "pdf", "ofd", "doc", "docx", "xls", "xlsx", "ppt", "pptx", "wps", "et", "jpg", "jpeg", "png", "txt", "csv", "zip",
    )  # fmt: skip
    acquirer_interval_seconds: int = 5
    clock_tolerance_seconds: int = 30
    cache_seconds: int = 10
    notify_candidates_up_to: int = 5
    outbox_channels: tuple[str, ...] = ()
    public_url: str = ""
    digest_more_than: int = 5
    delivery_attempts: int = 8
    history_level: str = "activity"
    history_ttl_days: int | None = None
    order_number: str = "周科督〔{year}〕{serial}号"
    bulletin_number: str = "周科通报〔{year}〕{serial}号"
    card_number: str = "周科监〔{year}〕{serial}号"
    design_second_approval: bool = True
    design_runs_at_once: int = 1
    password_min_length: int = 10
    password_memory_kib: int = 65536

    @property
    def hours(self) -> OfficeHours | None:
        """The office hours as the calendar wants them."""
        return None if self.office_hours is None else OfficeHours(tuple(tuple(session) for session in self.office_hours))

    @property
    def acquirer_interval(self) -> timedelta:
        return timedelta(seconds=self.acquirer_interval_seconds)

    @property
    def clock_tolerance(self) -> timedelta:
        return timedelta(seconds=self.clock_tolerance_seconds)

    @classmethod
    def of(cls, source: Any) -> DeskSettings:
        """From settings as they come: ``None``, a mapping (other keys are other people's), a dataclass, or this class."""
        if isinstance(source, cls):
            return source
        if source is None:
            return cls()
        if dataclasses.is_dataclass(source):
            source = {field.name: getattr(source, field.name) for field in dataclasses.fields(source)}
        if not isinstance(source, Mapping):
            raise TypeError("desk settings must be a mapping or a dataclass")
        chosen = {field.name: source[field.name] for field in dataclasses.fields(cls) if field.name in source}
        if "upload_extensions" in chosen:
            chosen["upload_extensions"] = tuple(extension.lower().lstrip(".") for extension in chosen["upload_extensions"])
        return cls(**chosen)
