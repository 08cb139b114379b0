"""The procedure sheet of a draft: as fields with a preview, and as text; both with the same check."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import current_app, flash, g, redirect, render_template, request, url_for
from flask_babel import gettext as _

from engine.errors import Conflict, Problem, ValidationFailed
from engine.runtime.casework.cases import STATUS_CLOSED, STATUS_RUNNING, STATUS_TERMINATED
from engine.runtime.design import comparing, drafts, sheet_choices, sheet_editing, sheet_findings, sheet_preview
from engine.runtime.design.drafts import Draft
from engine.runtime.sheets import DEFAULT_NUMBER
from web import security
from web.cases.outside import HEAD_WORDS
from web.designer import blueprint, options, sheet_form
from web.designer.access import access_draft
from web.designer.findings import SEVERITY_WORDS
from web.designer.sheet_words import HEADER_WORDS, KIND_WORDS, SHOW_WORDS, at_field, named
from web.errors import name_of
from web.filters import localdatetime
from web.i18n import say
from web.requests import number


def engine():
    return current_app.extensions["engine"]


def _text_of(draft: Draft) -> str:
    return draft.files.get(sheet_editing.sheet_file(draft.files), "")


# --- pages ------------------------------------------------------------------------------------------------------------------


@blueprint.get("/designer/drafts/<int:key>/sheet", endpoint="sheet")
def sheet(key: int):
    """The sheet as fields, or (``view=text``, and always when no field could show it) as text."""
    draft = access_draft(key)
    text = _text_of(draft)
    if request.args.get("view") == "text":
        return _text_page(draft, text)
    try:
        values = sheet_editing.values_of(text)
    except ValidationFailed as refused:
        return _text_page(draft, text, notice=say(refused.message))
    return _form_page(draft, values, text)


def _kept(draft: Draft) -> list[str]:
    """The sheet's file if this person's editor keeps unsaved work on it: a save here would put that aside.  Other files stay kept."""
    with engine().reading() as conn:
        found = drafts.autosaves(engine().desk, conn, draft.key, g.person.login)
    file = sheet_editing.sheet_file(draft.files)
    return [file] if file in found and draft.files.get(file) != found[file].content else []


def _form_page(
    draft: Draft, values: Mapping[str, Any], text: str | None, *, status: int = 200, focus: str | None = None, refused: bool = False,
    diffs: Any = (), notice: str = "",
):  # fmt: skip
    """``text`` is the sheet with the values in it; without one nothing is checked."""
    g.room = "designer"
    desk, file = engine().desk, sheet_editing.sheet_file(draft.files)
    files = draft.files if text is None else draft.files | {file: text}
    problems = sheet_findings.check(desk, files) if text is not None and text.strip() else []
    offered = sheet_choices.choices(desk, files)
    office = options.options_of(engine())
    page = render_template(
        "designer/sheet.html", draft=draft, values=values, errors=_by_field(text or "", problems), offered=offered, office=office, kept=_kept(draft), focus=focus, refused=refused, diffs=diffs, notice=notice, file=file,
        header_words=HEADER_WORDS, show_words=SHOW_WORDS, icons=_icons(values), revision=draft.revision, groups=_groups(office),
        **_preview(draft, values, text, offered),
    )  # fmt: skip
    return page, status


def _by_field(text: str, problems: list[Problem]) -> dict[str, list[tuple[str, str]]]:
    """Field → (severity, what is wrong) in the reader's language."""
    placed = sheet_findings.placed(text, problems)
    return {place: [(each.severity, say(at_field(each) if place else each.message)) for each in found] for place, found in placed.items()}


def _preview(draft: Draft, values: Mapping[str, Any], text: str | None, offered: sheet_choices.Choices) -> dict[str, Any]:
    desk = engine().desk
    file = sheet_editing.sheet_file(draft.files)
    shown = sheet_preview.preview(desk, draft.files, file, text or _text_of(draft), offered)
    day = desk.engine.calendar.local(desk.engine.clock()).date()
    rule = values["case_number"] or DEFAULT_NUMBER
    placed = sheet_findings.placed(text or _text_of(draft), shown.problems)
    return {
        "preview": shown, "awaited": [" ".join(say(part) for part in named(place, each)) for place, found in placed.items() for each in found],
        "numbers": sheet_preview.numbers(rule, region=desk.settings.region, code=values["code"], day=day),
        "kind_words": KIND_WORDS, "public_words": HEAD_WORDS,
        "statuses": list(dict.fromkeys((STATUS_RUNNING, *offered.drawn.statuses, STATUS_CLOSED, STATUS_TERMINATED))),
    }  # fmt: skip


def _groups(office: Mapping[str, Any]) -> dict[str, str]:
    return {each["id"]: each["label"] for each in office["groups"]}


def _icons(values: Mapping[str, Any]) -> list[str]:
    """Icons that procedures use already, and this one's."""
    used = {each.icon for each in engine().desk.book().procedures() if each.icon} | {values["icon"]}
    return sorted(used - {""})


def _text_page(draft: Draft, text: str, *, status: int = 200, notice: str = "", refused: bool = False, diffs: Any = ()):
    g.room = "designer"
    file = sheet_editing.sheet_file(draft.files)
    problems = sheet_findings.check(engine().desk, draft.files | {file: text})
    page = render_template(
        "designer/sheet_text.html", draft=draft, text=text, problems=problems, notice=notice, refused=refused, diffs=diffs, file=file,
        kept=_kept(draft), severity_words=SEVERITY_WORDS, revision=draft.revision,
    )  # fmt: skip
    return page, status


# --- what they send -----------------------------------------------------------------------------------------------------------


@blueprint.post("/designer/drafts/<int:key>/sheet", endpoint="save_sheet")
def save_sheet(key: int):
    """Save the fields, or add, move and remove rows of them."""
    draft = access_draft(key)
    values, order = sheet_form.posted(request.form), request.form.get("do", "")
    if order not in ("save", "save_anyway", "check"):
        focus = sheet_form.rearranged(values, order)
        return _form_page(draft, values, None, focus=focus)
    values = sheet_editing.without_empty_rows(values)
    try:
        text = sheet_editing.with_values(_text_of(draft), values)
    except ValidationFailed as refused:
        return _form_page(draft, values, None, status=422, notice=say(refused.message))
    if order == "check" or (order == "save" and _wrong(draft, text)):
        wrong = _wrong(draft, text)
        return _form_page(draft, values, text, status=422 if wrong else 200, refused=order == "save", notice="" if wrong else _("No findings."))
    return _saved(draft, text, lambda current, mine, **page: _form_page(current, values, mine, **page), url_for("designer.sheet", key=key), values)


@blueprint.post("/designer/drafts/<int:key>/sheet/text", endpoint="save_sheet_text")
def save_sheet_text(key: int):
    """Save the text, or check it."""
    draft = access_draft(key)
    order, text = request.form.get("do", ""), request.form.get("text", "")
    # A browser sends every line end as two characters; the file keeps the ones it had.
    text = text.replace("\r\n", "\n")
    if "\r\n" in _text_of(draft):
        text = text.replace("\n", "\r\n")
    if order == "check" or (order != "save_anyway" and _wrong(draft, text)):
        wrong = _wrong(draft, text)
        return _text_page(draft, text, status=422 if wrong else 200, refused=order != "check")
    return _saved(draft, text, _text_page, url_for("designer.sheet", key=key, view="text"))


@blueprint.post("/designer/drafts/<int:key>/sheet/preview", endpoint="preview_sheet")
def preview_sheet(key: int):
    """How the fields as they stand would look in use; nothing is stored."""
    draft = access_draft(key)
    values = sheet_editing.without_empty_rows(sheet_form.posted(request.form))
    try:
        text = sheet_editing.with_values(_text_of(draft), values)
    except ValidationFailed as refused:
        return render_template("designer/_sheet_preview.html", is_fragment=True, unreadable=say(refused.message), numbers=(), preview=None)
    files = draft.files | {sheet_editing.sheet_file(draft.files): text}
    offered = sheet_choices.choices(engine().desk, files)
    return render_template(
        "designer/_sheet_preview.html", is_fragment=True, draft=draft, offered=offered, header_words=HEADER_WORDS,
        groups=_groups(options.options_of(engine())), **_preview(draft, values, text, offered),
    )


def _wrong(draft: Draft, text: str) -> bool:
    file = sheet_editing.sheet_file(draft.files)
    return any(each.severity == "error" for each in sheet_findings.check(engine().desk, draft.files | {file: text}))


def _saved(draft: Draft, text: str, again: Any, address: str, values: dict[str, Any] | None = None):
    """Save; where somebody was faster with the sheet, ``again`` shows the page with what they wrote beside it (409).

    Then ``values`` take over what the other one changed and this person did not.
    """
    revision = number(request.form.get("revision")) or 0
    file = sheet_editing.sheet_file(draft.files)
    base: dict[str, str] = {}
    try:
        try:
            _save(draft.key, file, text, revision)
        except Conflict:
            current = access_draft(draft.key)
            with engine().reading() as conn:
                base = drafts.files_at(drafts.saves(engine().desk, conn, draft.key), revision)
            if current.files.get(file) != text and base.get(file, "") != current.files.get(file, ""):
                raise
            # The other save left the sheet alone, or was the first click of this one.
            _save(draft.key, file, text, current.revision)
    except Conflict as conflict:
        current = access_draft(draft.key)
        theirs = {file: current.files.get(file, "")}
        if values is not None:
            text = _together(values, base.get(file, ""), theirs[file]) or text
        told = _("%(name)s saved the sheet at %(time)s. What you entered is still here; compare, then save again.", name=name_of(conflict.by) or conflict.by, time=localdatetime(conflict.at))  # fmt: skip
        return again(current, text, status=409, diffs=comparing.compare(theirs, {file: text}, engine().desk.people.directory().roles), notice=told)
    except ValidationFailed as refused:
        return again(draft, text, status=422, notice=say(next(iter(refused.errors.values()), [refused.message])[0]))
    flash(_("The procedure sheet is saved in the draft."), "success")
    return redirect(address)


def _together(values: dict[str, Any], base: str, theirs: str) -> str | None:
    """Put the other's changes into ``values``, and the text that they make; ``None`` where no fields can show one of the texts."""
    try:
        values.update(sheet_editing.merged(sheet_editing.values_of(base), values, sheet_editing.values_of(theirs)))
        return sheet_editing.with_values(theirs, values)
    except ValidationFailed:
        return None


def _save(key: int, file: str, text: str, revision: int) -> None:
    drafts.save(engine().desk, key, {file: text}, revision=revision, note=_("Procedure sheet"), by=g.person.login, address=security.address())


@blueprint.app_template_filter("yaml_rest")
def yaml_rest(value: Mapping[str, Any]) -> str:
    """What no field shows, for a hidden field."""
    return current_app.json.dumps(value)
