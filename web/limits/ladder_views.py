"""The ladders: list, one ladder on a real case, edit with a preview, versions."""

from __future__ import annotations

from typing import Any

from flask import flash, g, redirect, render_template, request, url_for
from flask_babel import gettext as _

from engine.deadlines import Ladder
from engine.deadlines.ladder import ACTIONS, CHANNELS, COLOURS, LIGHTS, REASSIGNABLE, RECIPIENTS
from engine.errors import NotFound, ValidationFailed
from engine.runtime.limits import ladder_book, ladder_changes, rulebook
from web import security
from web.i18n import say
from web.limits import blueprint, forms, queries, words
from web.limits.rule_views import desk, engine
from web.people import requires
from web.supervision.words import COLOUR_WORDS


@blueprint.app_context_processor
def rung_words() -> dict[str, Any]:
    return {
        "when_words": words.when_words, "action_word": words.action_word, "recipient_names": words.RECIPIENT_WORDS,
        "channel_names": words.CHANNEL_WORDS, "step_words": ladder_book.STATE_WORDS,
    }  # fmt: skip


def _case(conn: Any, number: str) -> Any:
    return queries.access_open_case(desk(), conn, g.person.login, number)


def _offered(conn: Any) -> list[Any]:
    return queries.offered(desk(), conn, g.person.login)


def _ladder(ladder_id: str) -> Ladder:
    found = desk().book().ladders.get(ladder_id)
    if found is None:
        raise NotFound("There is no ladder “%(id)s”.", id=ladder_id)
    return found


@blueprint.get("/limits/ladders")
@requires("limits")
def ladders():
    """All ladders and who names them."""
    book = desk().book()
    rules = {id: [rule for main, rule in book.rules.items() if rule.ladder == id and book.rules.main(main) == main] for id in book.ladders}
    sheets = {id: [sheet.name for sheet in book.procedures() if (sheet.ladder or "standard") == id] for id in book.ladders}
    return render_template("limits/ladders.html", ladders=book.ladders, rules=rules, sheets=sheets)


@blueprint.get("/limits/ladders/<ladder_id>")
@requires("limits")
def ladder(ladder_id: str):
    """One ladder: its rungs, what it does on a real case, who changed it."""
    g.room = "limits"
    shown_ladder, number = _ladder(ladder_id), request.args.get("case", "").strip()
    with engine().reading() as conn:
        case = _case(conn, number)
        shown = ladder_book.shown_on_case(desk(), conn, case, shown_ladder) if case else []
        history, offered = ladder_book.ladder_history(desk(), conn, ladder_id), _offered(conn)
        following = [each for place, each in enumerate(ladder_changes.find(conn, ladder_id)) if place == 0 or each.state == "RUNNING"]
        failed = ladder_changes.failed(conn, [each.key for each in following]) if any(each.counts.get("FAILED") for each in following) else []
    return render_template(
        "limits/ladder.html", ladder=shown_ladder, case=case, number=number, shown=shown, history=history, offered=offered, following=following, failed=failed,
        change_words=ladder_changes.STATE_WORDS,
    )


@blueprint.get("/limits/ladders/new")
@requires("edit_limits")
def new_ladder():
    """A form with one rung."""
    return _form({"id": "", "label": "", "reason": "", "case": ""}, forms.rearranged([], "add"), {}, new=True, version=_current())


@blueprint.get("/limits/ladders/<ladder_id>/edit")
@requires("edit_limits")
def edit_ladder(ladder_id: str):
    """The form of a ladder."""
    with engine().reading() as conn:
        version, body = ladder_book.body_of(desk(), conn, ladder_id)
    head = {"id": ladder_id, "label": str(body.get("label") or ""), "reason": "", "case": ""}
    return _form(head, [words.rung_form(each) for each in body["rungs"]], {}, new=False, version=version)


def _current() -> int:

    return rulebook.sheet(desk(), "ladders").version


def _form(
    head: dict[str, Any],
    rungs: list[dict[str, Any]],
    errors: dict[str, list[str]],
    *,
    new: bool,
    version: int,
    preview: Any = None,
    status: int = 200,
):
    g.room = "limits"
    with engine().reading() as conn:
        offered = _offered(conn)
    page = render_template(
        "limits/edit_ladder.html", head=head, rungs=rungs, errors=errors, new=new, version=version, preview=preview, offered=offered,
        when_kinds=words.WHEN_KINDS, lights=[(each, words.CHOICES["light"][each]) for each in LIGHTS], channels=CHANNELS, recipients=RECIPIENTS,
        actions=ACTIONS, unless=words.CHOICES["unless"], reassignable=REASSIGNABLE, colours=[(each, COLOUR_WORDS[each]) for each in COLOURS],
    )  # fmt: skip
    return page, status


@blueprint.post("/limits/ladders/new")
@requires("edit_limits")
def add_ladder():
    """Add a ladder, or change its draft."""
    return _save(None)


@blueprint.post("/limits/ladders/<ladder_id>/edit")
@requires("edit_limits")
def save_ladder(ladder_id: str):
    """Save a ladder, show it on a case, or change its draft."""
    _ladder(ladder_id)
    return _save(ladder_id)


def _save(ladder_id: str | None):
    head, rungs = forms.posted_ladder(request.form)
    new, order, text = ladder_id is None, request.form.get("do", ""), request.form.get("version", "")
    head["id"] = ladder_id or head["id"]
    version = int(text) if text.isdecimal() and len(text) < 9 else 0
    if order not in ("save", "preview"):
        return _form(head, forms.rearranged(rungs, order), {}, new=new, version=version)
    body = forms.ladder_body(head, rungs)
    if order == "preview":
        errors = ladder_book.check_ladder(head["id"], body)
        with engine().reading() as conn:
            case = _case(conn, head["case"])
            draft = ladder_book.ladder_of(head["id"], body)
            changes = ladder_book.compare(desk().book(conn).ladders.get(head["id"]), draft)
            preview = {"case": case, "shown": ladder_book.shown_on_case(desk(), conn, case, draft) if case else [], "changes": changes}
        return _form(head, rungs, _said(errors), new=new, version=version, preview=preview, status=422 if errors else 200)
    try:
        made = ladder_book.save_ladder(
            desk(), head["id"], body, new=new, reason=head["reason"], based_on=version, by=g.person.login, address=security.address()
        )
    except ValidationFailed as refused:
        return _form(head, rungs, _said(refused.errors), new=new, version=version, status=422)
    flash(_("“%(name)s” was saved as version %(version)d of the ladders.", name=head["label"], version=made), "success")
    return redirect(url_for("limits.ladder", ladder_id=head["id"]))


def _said(errors: dict[str, list[Any]]) -> dict[str, list[str]]:
    return {field: [say(text) for text in texts] for field, texts in errors.items()}
