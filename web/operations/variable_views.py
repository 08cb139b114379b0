"""Correcting a variable: type and value, then old and new side by side, then saving."""

from __future__ import annotations

from typing import Any

from flask import flash, redirect, render_template, request, url_for
from flask_babel import gettext as _

from engine.errors import EngineError, NotFound, ValidationFailed
from engine.words import T
from web.i18n import say
from web.operations import blueprint
from web.operations.instance_views import RUNNING, head_of
from web.operations.room import Hiding, engine, labels_of, me, operates, why_not
from web.operations.values import KINDS, digest, kind_of, parse, text_of
from web.requests import number

ABSENT = "absent"
"""Mark of a variable that is not there yet."""


class Place:
    """The scope and the name a form is about, and what stands there now."""

    def __init__(self, key: int) -> None:
        self.scope = number(request.values.get("scope"))
        self.name = request.values.get("name", "").strip()[:500]
        with engine().reading() as conn:
            self.head = head_of(conn, key)
            self.hiding = Hiding.case(conn, self.head.root_key)
            self.labels = labels_of(self.head.definition_key, conn)
        variables: dict[str, Any] = {}
        self.label = self.head.process or self.head.process_id
        self.lost = False
        if self.scope is None:
            variables = engine().instance(key).variables
        else:
            token = next((each for each in engine().tokens(key) if each.id == self.scope), None)
            self.lost = token is None
            if token is not None:
                variables, self.label = token.variables, f"{token.label} #{token.id}"
        self.exists = self.name in variables
        self.old = variables.get(self.name)
        self.mark = digest(self.old) if self.exists else ABSENT

    def refusal(self) -> str:
        """Why nothing can be corrected here; empty when it can."""
        if self.head.state not in RUNNING:
            return _("This instance has ended; its variables can no longer be changed.")
        if self.lost:
            return _("The case has moved on: this scope is not there any more.")
        if self.name and self.hiding.hides(self.name, self.old):
            return _("“%(name)s” is confidential and cannot be seen or changed here.", name=self.name)
        return ""


def _page(place: Place, *, status: int = 200, errors: dict[str, list[str]] | None = None, review: Any = None, note: str = ""):
    entered = request.form
    kind = entered.get("kind") or (kind_of(place.old) if place.exists else "text")
    page = render_template(
        "operations/variable.html", place=place, head=place.head, kinds=KINDS, kind=kind, errors=errors or {}, review=review, note=note,
        value=entered.get("value") if "value" in entered else text_of(place.old), old=text_of(place.old), old_kind=kind_of(place.old),
        fixed=bool(place.name) and request.values.get("new") != "1", reason=entered.get("reason", ""),
    )  # fmt: skip
    return page, status


def _back(key: int, text: str):
    flash(text, "warning")
    return redirect(url_for("operations.instance", key=key, _anchor="variables"))


@blueprint.get("/operations/instances/<int:key>/variable")
@operates
def variable(key: int):
    """The form, with what stands there now."""
    place = Place(key)
    refusal = place.refusal()
    return _back(key, refusal) if refusal else _page(place)


@blueprint.post("/operations/instances/<int:key>/variable")
@operates
def save_variable(key: int):
    """First press: old and new side by side.  Second press (``step=save``): written, if the old one is still what was shown."""
    place = Place(key)
    refusal = place.refusal()
    if refusal:
        return _back(key, refusal)
    try:
        if not place.name:
            message = T("Name the variable.")
            raise ValidationFailed(message, errors={"name": [message]})
        value = parse(request.form.get("kind", ""), request.form.get("value", ""))
        if place.hiding.hides(place.name, value):
            message = T("This would hold a confidential field; it cannot be written here.")
            raise ValidationFailed(message, errors={"value": [message]})
        if request.form.get("step") != "save":
            return _page(place, review=text_of(value))
        if request.form.get("seen") != place.mark:
            return _page(place, status=409, review=text_of(value), note=_("Meanwhile the value was changed. Below is how it stands now; look again before you save."))
        engine().set_variables(key, {place.name: value}, place.scope, **me())
    except NotFound:
        raise
    except ValidationFailed as refused:
        return _page(place, status=422, errors=_errors(refused, place.name))
    except EngineError as refusal_:
        return _page(place, status=409, note=why_not(refusal_))
    flash(_("“%(name)s” was changed.", name=place.name), "success")
    return redirect(url_for("operations.instance", key=key, _anchor="variables"))


def _errors(refused: ValidationFailed, name: str) -> dict[str, list[str]]:
    """By field of the form; the engine names a value that it cannot store by its variable."""
    found: dict[str, list[str]] = {}
    for field, texts in refused.errors.items():
        place = field if field in ("name", "kind", "value") and field != name else "value"
        found.setdefault(place, []).extend(say(text) for text in texts)
    return found or {"value": [say(refused.message)]}
