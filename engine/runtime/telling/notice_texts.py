"""What is written outside the house about a notification: a subject, a short text and a long one with a link, in the reader's language.

A channel belongs to others (a mail provider, a chat group, a telephone company).  So no text is taken over from the bell: each kind has
its own sentence, made of the case number, the procedure's name, the step's name and, of a rung, the limit and the ladder's words, all of
which the office itself has written.  The title, the applicant, opinions and form values stay in the house, confidential or not.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from engine.runtime.telling.notices import unpacked
from engine.words import T, Words, translate

MAX_LINES = 50
"""Messages that a digest names; the rest is counted."""

SUBJECTS: dict[str, str] = {
    "assigned": "New task: %(step)s (%(case_no)s)",
    "urged": "You are urged: %(case_no)s",
    "rung": "%(case_no)s, %(limit)s: %(text)s",
    "notice": "A message about the case %(case_no)s",
    "extended": "A limit was extended: %(case_no)s",
    "extension": "A request for more time: %(case_no)s",
    "paused": "A limit was paused or goes on: %(case_no)s",
    "recalculated": "Limits were recalculated. Sign in to see which.",
    "rule_applied": "A limit is counted by another rule: %(case_no)s",
    "calendar": "There is something about the work calendar for you in Banjie.",
    "design": "There is something about a procedure's new version for you in Banjie.",
    "transferred": "Handed over: %(step)s (%(case_no)s)",
    "card": "A supervision card concerns you: %(case_no)s",
    "order": "A supervision order about %(case_no)s. Sign in to see it.",
    "bulletin": "A bulletin about %(case_no)s. Sign in to see it.",
    "assessment": "A deduction in the assessment: %(case_no)s. Sign in to see it.",
    "digest": "Today: %(due)s of your %(total)s task(s) are due, %(overdue)s are overdue.",
    "alarm": "Banjie needs an administrator. Sign in to see why.",
    "test": "A test message from Banjie: this channel works.",
}
"""Kind → the sentence that is subject and short text; other kinds take that of :data:`OTHER`."""
OTHER = "News about the case %(case_no)s"
WITHOUT_CASE = "There is news for you in Banjie."

# Named here once more for the extraction of messages, which looks for T("…").
_EXTRACTED = (
    T("New task: %(step)s (%(case_no)s)"), T("You are urged: %(case_no)s"), T("%(case_no)s, %(limit)s: %(text)s"),
    T("A message about the case %(case_no)s"), T("A limit was extended: %(case_no)s"), T("A request for more time: %(case_no)s"), T("A limit was paused or goes on: %(case_no)s"), T("Handed over: %(step)s (%(case_no)s)"),
    T("Limits were recalculated. Sign in to see which."), T("A limit is counted by another rule: %(case_no)s"),
    T("There is something about the work calendar for you in Banjie."), T("A supervision order about %(case_no)s. Sign in to see it."),
    T("A bulletin about %(case_no)s. Sign in to see it."), T("A deduction in the assessment: %(case_no)s. Sign in to see it."),
    T("There is something about a procedure's new version for you in Banjie."),
    T("A supervision card concerns you: %(case_no)s"),
    T("Today: %(due)s of your %(total)s task(s) are due, %(overdue)s are overdue."),
    T("Banjie needs an administrator. Sign in to see why."), T("A test message from Banjie: this channel works."),
    T("News about the case %(case_no)s"), T("There is news for you in Banjie."),
)  # fmt: skip

ABOUT = {"order": "/orders/{key}", "bulletin": "/bulletins/{key}", "deduction": "/assessment/{key}", "card": "/cards/{key}"}
"""Parameter of a notification that holds the key of what it is about → its page."""
LINKS = {"task": "/task/{key}", "case": "/case/{key}", "list": "/notices", "choices": "/notices/preferences"}
"""Pages of the web application that a message leads to."""

FROM_PARAMS: dict[str, tuple[str, ...]] = {"rung": ("limit", "text"), "digest": ("due", "total", "overdue")}
"""Kind → the parameters of the notification that may leave the house: words of the rule table and the ladder, and counts."""


@dataclass(frozen=True)
class Message:
    """One message, ready to be sent.  ``url`` is empty when the office has not said under which address it is reached."""

    subject: str
    short: str
    long: str
    url: str


@dataclass(frozen=True)
class Subject:
    """What a message is about: a kind, and the few facts of the case that may leave the house."""

    kind: str
    params: Mapping[str, Any]
    case_no: str = ""
    procedure: str = ""
    step: str = ""
    case_key: int | None = None
    task_key: int | None = None
    for_name: str = ""

    def words(self) -> Words:
        """The sentence of this message."""
        sentence = SUBJECTS.get(self.kind, OTHER)
        facts = {"case_no": self.case_no, "step": self.step or self.procedure}
        facts |= {name: _plain(self.params.get(name, "")) for name in FROM_PARAMS.get(self.kind, ())}
        if "case_no" in sentence and not self.case_no:
            sentence = WITHOUT_CASE
        words = T(sentence, **facts) if "%(" in sentence else T(sentence)
        return T("(for %(name)s) %(message)s", name=self.for_name, message=words) if self.for_name else words

    def path(self) -> str:
        """The page it leads to: what it is about, the task while there is one to do, else the case, else the list of notices."""
        for name, page in ABOUT.items():
            if isinstance(self.params.get(name), int):
                return page.format(key=self.params[name])
        if self.task_key is not None:
            return LINKS["task"].format(key=self.task_key)
        return LINKS["case"].format(key=self.case_key) if self.case_key is not None else LINKS["list"]


def written(subject: Subject, gettext: Callable[[str], str], public_url: str) -> Message:
    """One message in the language of ``gettext``."""
    short = translate(subject.words(), gettext)
    url = public_url.rstrip("/") + subject.path() if public_url else ""
    lines = [short, ""]
    if subject.procedure:
        lines.append(translate(T("Procedure: %(name)s", name=subject.procedure), gettext))
    return Message(short, short, "\n".join([*lines, *_tail(url, gettext, public_url)]), url)


def written_together(subjects: Sequence[Subject], gettext: Callable[[str], str], public_url: str) -> Message:
    """Many messages as one digest; it says how many there are, and names the first :data:`MAX_LINES`."""
    short = translate(T("%(count)d messages of Banjie, together", count=len(subjects)), gettext)
    url = public_url.rstrip("/") + LINKS["list"] if public_url else ""
    lines = [f"{number}. {translate(subject.words(), gettext)}" for number, subject in enumerate(subjects[:MAX_LINES], 1)]
    if len(subjects) > MAX_LINES:
        lines.append(translate(T("… and %(count)d more.", count=len(subjects) - MAX_LINES), gettext))
    return Message(short, short, "\n".join([short, "", *lines, *_tail(url, gettext, public_url)]), url)


def _tail(url: str, gettext: Callable[[str], str], public_url: str) -> list[str]:
    found = []
    if url:
        found.append(translate(T("Open: %(url)s", url=url), gettext))
    found += ["", translate(T("Sent by Banjie; please do not answer. Details are shown after signing in."), gettext)]
    if public_url:
        address = public_url.rstrip("/") + LINKS["choices"]
        found.append(translate(T("What reaches you, and when: %(url)s", url=address), gettext))
    return found


def _plain(value: Any) -> Any:
    """A parameter of a notification row: packed words as words, everything else as it is."""
    return unpacked(value["msgid"], value.get("params")) if isinstance(value, Mapping) else value
