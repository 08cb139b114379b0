"""The supervisor's room: the board, its live refresh, urging, the ledger of a case, and the register."""

from __future__ import annotations

import json
from datetime import datetime
from io import BytesIO
from math import ceil
from typing import Any

from flask import current_app, flash, g, make_response, redirect, render_template, request, send_file, session, url_for
from flask_babel import gettext as _
from sqlalchemy import and_

from engine.errors import NotFound
from engine.runtime import changes
from engine.runtime.casework.access import CHIEFS, URGERS, access_case
from engine.runtime.supervision import bulletins
from engine.words import T, Words
from web import filters, security
from web.cases import search
from web.i18n import say
from web.inbox.excel import workbook
from web.lights import BY_RANK, LIGHTS
from web.people import requires
from web.supervision import blueprint, bulletin_queries, queries, words
from web.supervision.state import PAGE_SIZE, PAUSED_WORKDAYS, SWITCHES, BoardState

ACTS: dict[str, Words] = {"urge": T("Urge"), "order": T("Supervision order"), "reassign": T("Reassign"), "bulletin": T("Draft a bulletin")}
"""What can be done to the cases chosen on the board."""
BOARD_LIGHTS = ("red", "yellow", "green", "hollow", "grey", "none")
COUNTED = ("red", "yellow")
"""The lights whose numbers are announced when they change."""
FILTER_LABELS: dict[str, Words] = {"section": T("Section"), "county": T("County"), "procedure": T("Procedure")}
SPREADSHEET = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


def engine():
    return current_app.extensions["engine"]


def overseen() -> Any:
    """SQL for the cases this person may see on the board; asked before a connection is taken, since it may read the directory."""
    person, desk = g.person, engine().desk
    return queries.overseen(desk, person.login, {person.login, *person.principals}, person.groups | desk.people.groups(person.login))


def case_title(row: Any) -> str:
    """The title of a case as this person may read it, to others the name of its procedure (``row`` has both)."""
    if row.title is not None:
        return row.title
    known = sheets()
    return known[row.procedure_id].name if row.procedure_id in known else row.procedure_id


def may_urge(case: Any) -> bool:
    """Whether the command would accept an urging from this person: oversight, or the chief of the owner section."""
    groups = g.person.groups | engine().desk.people.groups(g.person.login)
    return not URGERS.isdisjoint(groups) or any(f"{role}@{case.section_code}" in groups for role in CHIEFS)


def helpers() -> dict[str, Any]:
    """What the templates of the room say with."""
    now, calendar, directory = engine().clock(), engine().calendar, engine().desk.people.directory()
    ladder_of = engine().desk.book().ladder
    return {
        "ladder_of": ladder_of,
        "used_of": lambda ledger: words.used_of(ledger, calendar, now),
        "rung_label": lambda row: words.rung_label(ladder_of(row.ladder_id), row.next_rung),
        "rung_recipients": lambda row: [say(words.RECIPIENT_WORDS[each]) for each in words.rung_recipients(ladder_of(row.ladder_id), row.next_rung)],
        "recipient_words": words.RECIPIENT_WORDS,
        "channel_words": words.CHANNEL_WORDS,
        "action_words": words.action_words,
        "candidates": lambda task: words.candidates(directory, task.candidate_groups, task.candidate_users),
        "directory": directory,
        "plain": words.plain,
        "may_urge": may_urge,
        "may_push": may_push(),
    }


def may_push() -> bool:
    """Whether this person may choose cases and act on them; the audit only looks on."""
    return g.person.may("urge")


PAGES: dict[str, Words] = {"supervision.index": T("Board"), "supervision.orders": T("Supervision orders")}
"""The pages of the room, in the order of its tabs; the modules of the room add theirs."""


@blueprint.app_context_processor
def pages_of_the_room() -> dict[str, Any]:
    return {"room_pages": lambda: [(name, word) for name, word in PAGES.items() if name == "supervision.orders" or g.person.may("supervise")]}


def dimension_name(name: str, value: str) -> str:
    """A section by its name, a procedure by its short name, a county as it stands."""
    if name == "section":
        return filters.section_name(value)
    if name == "procedure":
        found = sheets().get(value)
        return (found.short or found.name) if found else value
    return value


def board_state() -> BoardState:
    """The board that the address asks for."""
    return BoardState.of(request.args, getattr(current_app.extensions["settings"], "paused_long_workdays", PAUSED_WORKDAYS))


def step_name(step: str, lines: list[queries.Line]) -> str:
    """The name of the step that the board is narrowed to, as the tasks on the page bear it; its id when none is there."""
    element_id = step.rpartition("/")[2]
    return next((task.step for line in lines for task in line.tasks if task.element_id == element_id), element_id)


def board_of(state: BoardState) -> dict[str, Any]:
    """The values of a board page."""
    now, calendar, visible = engine().clock(), engine().calendar, overseen()
    with engine().reading() as conn:
        lines, total = queries.board(conn, visible, state, now, calendar)
        numbers = queries.counts(conn, visible, state, now, calendar)
        coming = queries.upcoming(conn, visible, state)
    seen = ",".join([f"{code}:{numbers.lights[code]}" for code in COUNTED] + [f"{line.case.key}:{line.case.rank}" for line in lines])
    return {
        "state": state, "lines": lines, "total": total, "pages": max(1, ceil(total / PAGE_SIZE)), "numbers": numbers, "coming": coming,
        "seen": seen, "lights": [LIGHTS[code] for code in BOARD_LIGHTS], "filter_labels": FILTER_LABELS,
        "switches": SWITCHES, "dimension_name": dimension_name, "step_name": step_name, "acts": ACTS if not URGERS.isdisjoint(g.person.roles) else {name: ACTS[name] for name in ("urge", "reassign")},
        **helpers(),
    }  # fmt: skip


@blueprint.get("/supervision")
@requires("supervise")
def index():
    """The board."""
    g.room = "supervision"
    state, drawn = board_state(), changes.moment()
    values = board_of(state)
    if not values["lines"] and state.page > 1:
        return redirect(filters.with_query(page=None))
    session["list_url"] = request.full_path.rstrip("?")
    return render_template("supervision/index.html", drawn=drawn, **values)


@blueprint.get("/supervision/board")
@requires("supervise")
def board():
    """The live part of the board, asked for again and again; says which lights have changed since the asker looked last."""
    state = board_state()
    values = board_of(state)
    announcement = changed(request.args.get("seen", ""), values["lines"], values["numbers"])
    return render_template("supervision/_board.html", live=True, announcement=announcement, **values)


def changed(seen: str, lines: list[queries.Line], numbers: queries.Counts) -> str:
    """What differs from ``seen`` ("red:3,yellow:1,case key:rank,…"), as a sentence for screen readers; empty for nothing.

    Lights of the cases on the page by name; beyond the page, how many are red and yellow now.
    """
    before = dict(pair.split(":", 1) for pair in seen.split(",") if ":" in pair)
    told = [
        _("%(case_no)s is now: %(light)s", case_no=line.case.case_no, light=say(BY_RANK[line.case.rank].word))
        for line in lines
        if before.get(str(line.case.key), str(line.case.rank)) != str(line.case.rank)
    ][:5]
    if any(before.get(code, str(numbers.lights[code])) != str(numbers.lights[code]) for code in COUNTED):
        told.append(_("%(red)d red, %(yellow)d yellow", red=numbers.lights["red"], yellow=numbers.lights["yellow"]))
    return "; ".join(told)


@blueprint.post("/supervision/<int:case_key>/urge")
@requires("supervise")
def urge(case_key: int):
    """Urge whoever has the case now, with one click; the row comes back with its new count."""
    with engine().reading() as conn:
        case = access_case(conn, case_key, g.person.login, security.address())
    text = request.form.get("text", "").strip()[:500] or _("Please deal with this case as soon as possible.")
    told = engine().desk.urge(case_key, text, by=g.person.login, address=security.address())
    names = _(", ").join(filters.person_name(login) for login in told)
    if names:
        sentence = _("%(case_no)s: urged %(names)s.", case_no=case.case_no, names=names)
    else:
        sentence = _("%(case_no)s: the urging was recorded.", case_no=case.case_no)
    if request.headers.get("HX-Request") != "true":
        flash(sentence, "success")
        return redirect(url_for("supervision.ledger", case_key=case_key))
    with engine().reading() as conn:
        line = queries.one(conn, overseen(), case_key, engine().clock())
    answer = make_response(render_template("supervision/_row.html", line=line, **helpers()) if line else "")
    # Header values are ASCII; json writes everything else as escapes.
    answer.headers["HX-Trigger"] = json.dumps({"toast": {"text": sentence, "kind": "success"}})
    return answer


@blueprint.get("/supervision/<int:case_key>")
@requires("supervise")
def ledger(case_key: int):
    """The ledger of one case: how each due date was worked out, what paused and extended it, who was told, what is to come."""
    g.room = "supervision"
    now, calendar = engine().clock(), engine().calendar
    person = g.person
    about = bulletins.PAPERS.listed(overseen(), {person.login, *person.principals}, person.groups | engine().desk.people.groups(person.login))
    with engine().reading() as conn:
        case = access_case(conn, case_key, g.person.login, security.address())
        clocks, firings, urges = queries.ledger(conn, case_key, now)
        orders = queries.orders_of(conn, case_key)
        drafted = bulletin_queries.bulletins_of(conn, case_key, about)
    say_with = helpers()
    read = [(row, words.read(row, say_with["ladder_of"](row.ladder_id), calendar, now)) for row in clocks]
    return render_template("supervision/ledger.html", case=case, clocks=read, firings=firings, urges=urges, orders=orders, bulletins=drafted, may_order=not URGERS.isdisjoint(g.person.roles), **say_with)


@blueprint.get("/supervision/export.xlsx")
@requires("supervise")
def export():
    """The filtered board as a workbook."""
    state = board_state().everything()
    now, calendar, visible = engine().clock(), engine().calendar, overseen()
    with engine().reading() as conn:
        lines, total = queries.board(conn, visible, state, now, calendar)
    say_with = helpers()
    heads = [
        _("Light"), _("Case number"), _("Title"), _("Procedure"), _("County"), _("Owner section"), _("Step"), _("Handler"), _("Used/limit"),
        _("Due"), _("Remaining"), _("Level"), _("Told so far"), _("Next"), _("Urged"), _("Received"),
    ]  # fmt: skip
    rows = [_sheet_line(line, say_with, now) for line in lines]
    if total > len(lines):
        rows.append([_("%(total)d in all; the first %(shown)d are listed.", total=total, shown=len(lines))])
    return spreadsheet(_("Supervision"), heads, rows)


def _sheet_line(line: queries.Line, say_with: dict[str, Any], now: datetime) -> list[Any]:
    case = line.case
    used, comma = "", _(", ")
    if case.clock_key:
        amount, unit = say_with["used_of"](case.ledger)
        used = f"{amount} {say(unit)}"
    handlers = [filters.person_name(task.assignee) if task.assignee else comma.join(say_with["candidates"](task)) for task in line.tasks]
    told = [
        f"{fired.label} {filters.localtime(fired.fired_at)} {comma.join(each['name'] for each in fired.recipients)}".strip() for fired in line.firings
    ]
    coming = ""
    if case.next_rung:
        coming = " ".join([filters.localtime(case.next_rung_at), say_with["rung_label"](case), comma.join(say_with["rung_recipients"](case))])
    return [
        say(BY_RANK[case.rank].word), case.case_no, case.title, case.procedure, case.county, filters.section_name(case.section_code),
        comma.join(dict.fromkeys(task.step for task in line.tasks)), comma.join(dict.fromkeys(handlers)), used, filters.localdate(case.due_at),
        filters.ledger_left(case.ledger, case.clock_state), case.level or "", "；".join(told), coming, case.urged or "",
        filters.localdatetime(case.received_at),
    ]  # fmt: skip


def spreadsheet(title: str, heads: list[str], rows: list[list[Any]]):
    """A workbook as a download, named after its title and the day."""
    name = f"{title}-{engine().calendar.local(engine().clock()):%Y%m%d}.xlsx"
    return send_file(BytesIO(workbook(title, heads, rows)), mimetype=SPREADSHEET, as_attachment=True, download_name=name)


# --- the register 台账 ------------------------------------------------------------------------------------------------


def sheets() -> dict[str, Any]:
    """Procedure id → its newest sheet."""
    return {sheet.process: sheet for sheet in engine().desk.book().procedures()}


def register_of(process_id: str, page: int) -> tuple[Any, list[Any], int]:
    """Sheet, rows and number of a register, narrowed by the searchable fields that the address names."""
    sheet = sheets().get(process_id)
    if sheet is None:
        raise NotFound("There is no procedure “%(id)s”.", id=process_id)
    visible, narrowed = overseen(), search.tests_of(search.filters_of(sheet, request.args))
    visible = visible if narrowed is None else and_(visible, narrowed)
    with engine().reading() as conn:
        rows, total = queries.register(conn, visible, process_id, page)
    return sheet, rows, total


@blueprint.get("/register")
@requires("register")
def register():
    """The register of a procedure: its fixed columns and those its sheet names, one line a case, closed ones included."""
    g.room = "register"
    known = sheets()
    chosen = request.args.get("procedure") or next(iter(known), "")
    page = request.args.get("page", "1")
    page = max(1, int(page)) if page.isdecimal() and len(page) < 7 else 1
    if not chosen:
        return render_template("supervision/register.html", sheets=known, chosen="", sheet=None, rows=[], page=1, pages=1, total=0)
    sheet, rows, total = register_of(chosen, page)
    pages = max(1, ceil(total / PAGE_SIZE))
    asked = search.filters_of(sheet, request.args, engine().desk.labels.of(None, sheet))
    return render_template(
        "supervision/register.html", sheets=known, chosen=chosen, sheet=sheet, rows=rows, page=page, pages=pages, total=total, asked=asked,
        prefix=search.PREFIX, narrowed=any(each.used for each in asked),
    )  # fmt: skip


@blueprint.get("/register/export.xlsx")
@requires("register")
def register_export():
    """The whole register of a procedure as a workbook."""
    sheet, rows, total = register_of(request.args.get("procedure", ""), 0)
    heads = [_("Case number"), _("Title"), _("Applicant"), _("County"), _("Received"), _("Status"), _("Result"), _("Closed")]
    heads += [column.label for column in sheet.register]
    lines = [
        [
            row.case_no, row.title, row.applicant, row.county, filters.localdate(row.received_at), row.status, row.result,
            filters.localdate(row.closed_at), *(register_text((row.register or {}).get(column.key)) for column in sheet.register),
        ]
        for row in rows
    ]  # fmt: skip
    if total > len(rows):
        lines.append([_("%(total)d in all; the first %(shown)d are listed.", total=total, shown=len(rows))])
    return spreadsheet(f"{_('Register')}-{sheet.short or sheet.name}", heads, lines)


def register_text(value: Any) -> str:
    """A register value as text: lists joined, yes and no in words."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    if isinstance(value, list):
        return _(", ").join(register_text(each) for each in value)
    return str(value)


@blueprint.app_template_filter("register_text")
def register_text_filter(value: Any) -> str:
    return register_text(value)
