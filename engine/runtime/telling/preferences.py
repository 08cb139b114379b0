"""What each person wants to be told outside the bell: kinds by channel, language by their account, quiet hours, the morning digest.

The bell is always on.  What a person has not chosen is the default of :data:`DEFAULT_KINDS`; quiet hours delay and never lose.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, select

from engine.deadlines import WorkCalendar
from engine.errors import ValidationFailed
from engine.store import tables
from engine.store.types import DIALECT_INSERTS
from engine.words import T, Words

if TYPE_CHECKING:
    from engine.runtime.desk import Desk

CHANNELS: dict[str, Words] = {
    "mail": T("E-mail"), "sms": T("Text message"), "wecom": T("WeCom robot"), "dingtalk": T("DingTalk robot"), "webhook": T("Webhook"),
}  # fmt: skip
"""Every way out of the house; ``outbox_channels`` in the settings says which of them the office has."""

KINDS: dict[str, Words] = {
    "assigned": T("A task reaches me"), "urged": T("Somebody urges me"), "rung": T("A limit is near or over"),
    "notice": T("A process tells me something"), "extended": T("A limit is extended"), "extension": T("An extension is asked for or decided"), "paused": T("A limit is paused or goes on"),
    "transferred": T("My task is handed over"),
    "recalculated": T("Limits are recalculated"), "rule_applied": T("A rule is applied to my case"),
    "calendar": T("The work calendar is changed"), "design": T("A procedure is submitted or published"), "card": T("A supervision card concerns me"),
    "order": T("A supervision order concerns me"), "bulletin": T("A bulletin concerns me"), "assessment": T("A deduction in the assessment concerns me"),
    "digest": T("The morning's summary"),
}  # fmt: skip
"""The kinds of notifications that a person can choose; alarms and test messages are not a matter of taste."""

DEFAULT_KINDS: dict[str, frozenset[str]] = {
    "mail": frozenset({"assigned", "urged", "transferred", "calendar", "design", "extension"}),
    "sms": frozenset(),
    "wecom": frozenset({"urged"}),
    "dingtalk": frozenset({"urged"}),
    "webhook": frozenset(KINDS),
}
"""What goes out by which channel unless the person says otherwise.  Rungs go where their ladder says (``ordered``), so that the office
decides how loud a deadline is; a text message costs money, a robot speaks to a whole group."""

QUIET_FROM, QUIET_TO = time(22), time(7, 30)
DAY = timedelta(days=1)
LONGEST_REST = 30
"""Rest days in a row beyond which something is wrong with the calendar; the message then goes out."""


@dataclass(frozen=True)
class Preference:
    """``kinds`` are (kind, channel) → wanted, where the person said so.  ``quiet_from`` equal to ``quiet_to``: no quiet hours.

    ``quiet_rest_days``: no message on rest days of the work calendar.  ``urgent_anytime``: urgent ones break the quiet hours.
    """

    kinds: Mapping[tuple[str, str], bool] = field(default_factory=dict)
    quiet_from: time = QUIET_FROM
    quiet_to: time = QUIET_TO
    quiet_rest_days: bool = True
    urgent_anytime: bool = False
    digest: bool = True

    def wants(self, kind: str, channel: str, *, ordered: bool = False, urgent: bool = False) -> bool:
        """Whether a message goes out by ``channel``; what a ladder orders for an urgent rung cannot be switched off."""
        if ordered and urgent:
            return True
        chosen = self.kinds.get((kind, channel))
        return chosen if chosen is not None else ordered or kind in DEFAULT_KINDS.get(channel, frozenset())

    def ready_at(self, now: datetime, calendar: WorkCalendar, *, urgent: bool = False) -> datetime:
        """The first instant from ``now`` on (UTC) that is not quiet; ``now`` itself when it is not."""
        if urgent and self.urgent_anytime:
            return now
        moment = now
        for _ in range(LONGEST_REST):
            later = self._after_hours(moment, calendar)
            local = calendar.local(later)
            if not self.quiet_rest_days or calendar.is_workday(local.date()):
                return later
            moment = calendar.instant(local.date() + DAY, time.min)
        return now

    def _after_hours(self, moment: datetime, calendar: WorkCalendar) -> datetime:
        local = calendar.local(moment)
        at, day = local.time(), local.date()
        begins, ends = self.quiet_from, self.quiet_to
        if begins <= ends:
            return calendar.instant(day, ends) if begins <= at < ends else moment
        if at >= begins:
            return calendar.instant(day + DAY, ends)
        return calendar.instant(day, ends) if at < ends else moment

    def as_choices(self) -> dict[str, Any]:
        """For the column ``notice_preference.choices``."""
        kinds: dict[str, dict[str, bool]] = {}
        for (kind, channel), wanted in self.kinds.items():
            kinds.setdefault(kind, {})[channel] = wanted
        return {
            "kinds": kinds, "quiet_from": self.quiet_from.isoformat("minutes"), "quiet_to": self.quiet_to.isoformat("minutes"),
            "quiet_rest_days": self.quiet_rest_days, "urgent_anytime": self.urgent_anytime, "digest": self.digest,
        }  # fmt: skip

    @classmethod
    def of_choices(cls, choices: Mapping[str, Any]) -> Preference:
        kinds = {(kind, channel): wanted for kind, row in choices.get("kinds", {}).items() for channel, wanted in row.items()}
        return cls(
            kinds, time.fromisoformat(choices.get("quiet_from", "22:00")), time.fromisoformat(choices.get("quiet_to", "07:30")),
            choices.get("quiet_rest_days", True), choices.get("urgent_anytime", False), choices.get("digest", True),
        )  # fmt: skip


def load(conn: Connection, logins: Collection[str]) -> dict[str, Preference]:
    """Login → what they chose, of those ``logins`` who chose anything."""
    row = tables.notice_preference.c
    found = conn.execute(select(row.login, row.choices).where(row.login.in_(list(logins))))
    return {each.login: Preference.of_choices(each.choices) for each in found}


def without_digest(conn: Connection) -> set[str]:
    """Who does not want the morning's summary."""
    row = tables.notice_preference.c
    return {each.login for each in conn.execute(select(row.login, row.choices)) if not each.choices.get("digest", True)}


def save(desk: Desk, choice: Preference, *, by: str, address: str | None = None) -> None:
    """Keep what ``by`` wants for themselves.  Raises :class:`ValidationFailed` for a kind or channel that does not exist."""
    for kind, channel in choice.kinds:
        if kind not in KINDS or channel not in CHANNELS:
            raise ValidationFailed("There is no message of the kind “%(kind)s” by “%(channel)s”.", kind=kind, channel=channel)
    with desk.audited(by, address) as tx:
        values = {"choices": choice.as_choices(), "changed_at": tx.now}
        insert = DIALECT_INSERTS[tx.conn.dialect.name](tables.notice_preference).values(login=by, **values)
        tx.execute(insert.on_conflict_do_update(index_elements=["login"], set_=values))
        tx.audit("notice.preferences", f"person:{by}", quiet_from=values["choices"]["quiet_from"], quiet_to=values["choices"]["quiet_to"])
