"""Template filters and helpers: dates as an office writes them, working days, lights, engine words."""

from __future__ import annotations

import json
from datetime import date, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

from flask import Flask, current_app, g, request, url_for
from markupsafe import Markup, escape

from engine.words import T, Words
from web.i18n import is_chinese, say
from web.lights import BY_RANK, LIGHTS, Light, ledger_parts, ledger_words, light_of

MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def engine():
    return current_app.extensions["engine"]


def office(value: Any) -> datetime | date | None:
    """An instant in office time; dates and nothing stay as they are; ISO text is read first."""
    if isinstance(value, str):
        value = datetime.fromisoformat(value)
    if isinstance(value, datetime):
        return engine().calendar.local(value)
    return value


def localdate(value: Any) -> str:
    """``2026年11月22日`` / ``22 Nov 2026``; empty for nothing."""
    day = office(value)
    if day is None:
        return ""
    return f"{day.year}年{day.month}月{day.day}日" if is_chinese() else f"{day.day} {MONTHS[day.month - 1]} {day.year}"


def localtime(value: Any) -> str:
    """``11-22 09:30``, with the year in front when it is not this one; empty for nothing."""
    instant = office(value)
    if instant is None:
        return ""
    this_year = engine().calendar.local(engine().clock()).year
    clock = f" {instant:%H:%M}" if isinstance(instant, datetime) else ""
    return f"{instant:%m-%d}{clock}" if instant.year == this_year else f"{instant:%Y-%m-%d}{clock}"


def localday(value: Any) -> str:
    """``11-22``, with the year when it is not this one."""
    return localtime(office(value).date()) if value is not None else ""


def localdatetime(value: Any) -> str:
    """``2026年11月22日 09:30``."""
    instant = office(value)
    return f"{localdate(value)} {instant:%H:%M}" if instant is not None else ""


def isoformat(value: Any) -> str:
    """For ``<time datetime>``."""
    return office(value).isoformat(timespec="minutes") if isinstance(value, datetime) else (value.isoformat() if value else "")


def clock_left(row: Any) -> str:
    """"剩 1 工作日" / "超 3 工作日" / "今日到期" for a row of a list that carries ``clock_ledger`` and ``clock_state``."""
    return ledger_left(row.clock_ledger, row.clock_state)


def ledger_left(ledger: Any, state: str | None = None) -> str:
    """The same from the ledger and the state of a clock; nothing without one."""
    return say(ledger_words(ledger, state, engine().clock(), engine().calendar))


def left_cell(ledger: Any, state: str | None = None) -> Markup:
    """The same for a cell of a list: the notes stand small below, so that they do not widen the column."""
    words, notes = ledger_parts(ledger, state, engine().clock(), engine().calendar)
    shown = escape(say(words))
    return shown + Markup("").join(Markup('<small class="soft left-note">{}</small>').format(say(note)) for note in notes)


def time_used(start: datetime | None, end: datetime | None) -> str:
    """How long something took in working days; less than one is told in hours and minutes of the clock."""
    if start is None or end is None:
        return ""
    calendar = engine().calendar
    days = calendar.workdays_between(calendar.local(start).date(), calendar.local(end).date())
    if days >= 1:
        return say(T("%(days)d working day(s)", days=days))
    minutes = max(0, int((end - start).total_seconds() // 60))
    if minutes >= 60:
        return say(T("%(hours)d h %(minutes)d min", hours=minutes // 60, minutes=minutes % 60))
    return say(T("%(minutes)d min", minutes=minutes)) if minutes else say(T("under a minute"))


def light(value: Any, word: str | None = None) -> Markup:
    """A light as colour, shape and word.  ``value``: a clock row, a rank of :mod:`web.lights`, a code or a :class:`Light`."""
    if isinstance(value, int):
        chosen = BY_RANK[value]
    elif isinstance(value, str):
        chosen = LIGHTS[value]
    else:
        chosen = value if isinstance(value, Light) else light_of(value, engine().clock())
    return Markup('<span class="light light--{}">{}</span>').format(chosen.code, word or say(chosen.word))


def person_name(login: str | None) -> str:
    """The name of a login; the system when there is none."""
    return engine().desk.people.directory().name(login) if login else say(T("System"))


def section_name(code: str | None) -> str:
    return engine().desk.people.directory().section_name(code) if code else ""


def filesize(size: int) -> str:
    """``320 KB``, ``4.2 MB``."""
    return f"{size / 1024 / 1024:.1f} MB" if size >= 1024 * 1024 else f"{max(1, round(size / 1024))} KB"


def icon(name: str, label: str | None = None) -> Markup:
    """An icon of the sprite; decorative unless it has a ``label``."""
    meaning = Markup('role="img" aria-label="{}"').format(label) if label else Markup('aria-hidden="true"')
    return Markup('<svg class="icon" {}><use href="{}#{}"></use></svg>').format(meaning, asset("icons.svg"), name)


@lru_cache(maxsize=4)
def _manifest(path: str, changed: float) -> dict[str, str]:
    return json.loads(Path(path).read_text(encoding="utf-8"))


def asset(name: str) -> str:
    """URL of a built file by its entry name (``app.js``); the manifest is read again when a build replaced it."""
    manifest = Path(current_app.static_folder) / "build" / "manifest.json"
    try:
        files = _manifest(str(manifest), manifest.stat().st_mtime)
    except FileNotFoundError:
        # Without a build the pages still work as plain HTML; the missing file is named in the page's source and the log.
        files = {}
    return url_for("static", filename=files.get(name, f"build/{name}"))


def page_json(identifier: str, value: Any) -> Markup:
    """``value`` as ``<script type="application/json" id=…>``, safe to stand in HTML."""
    text = json.dumps(value, ensure_ascii=False, default=_plain).replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
    return Markup('<script type="application/json" id="{}">{}</script>').format(escape(identifier), Markup(text))


def _plain(value: Any) -> Any:
    if isinstance(value, Words):
        return say(value)
    if isinstance(value, (datetime, date)):
        return value.isoformat()
    return str(value)


def with_query(**changes: Any) -> str:
    """The address of this page with some parameters changed; ``None`` removes one."""
    query = request.args.to_dict(flat=True)
    query.update({name: str(value) for name, value in changes.items() if value is not None})
    for name in (name for name, value in changes.items() if value is None):
        query.pop(name, None)
    return url_for(request.endpoint, **{**(request.view_args or {}), **query})


FILTERS = {
    "localdate": localdate, "localtime": localtime, "localday": localday, "localdatetime": localdatetime, "isoformat": isoformat,
    "ledger_left": ledger_left, "left_cell": left_cell, "clock_left": clock_left, "words": say, "person_name": person_name, "section_name": section_name, "filesize": filesize,
}  # fmt: skip
GLOBALS = {"asset": asset, "icon": icon, "light": light, "page_json": page_json, "with_query": with_query, "time_used": time_used}


def init_filters(app: Flask) -> None:
    """Make the filters and helpers known to all templates."""
    app.jinja_env.filters.update(FILTERS)
    app.jinja_env.globals.update(GLOBALS)
    app.jinja_env.globals["g"] = g
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
