"""What reaches me, by which channel, and when."""

from __future__ import annotations

from datetime import time

from flask import current_app, flash, g, redirect, render_template, request, url_for
from flask_babel import gettext as _

from engine.runtime.telling import preferences
from engine.runtime.telling.deliveries import ADDRESSES
from engine.runtime.telling.preferences import CHANNELS, KINDS, Preference
from web import security
from web.notices import blueprint, preference_queries


def engine():
    return current_app.extensions["engine"]


def _channels() -> list[str]:
    return [name for name in CHANNELS if name in engine().desk.settings.outbox_channels]


@blueprint.get("/notices/preferences")
def choices():
    """The form, as things stand."""
    with engine().reading() as conn:
        chosen = preference_queries.of(conn, g.person.login)
    return _page(chosen, {})


def _page(chosen: Preference, errors: dict[str, list[str]], entered: dict[str, str] | None = None, status: int = 200):
    g.room = "notices"
    person = engine().desk.person(g.person.login)
    missing = [name for name in _channels() if name in ADDRESSES and not (person and getattr(person, ADDRESSES[name]))]
    page = render_template(
        "notices/preferences.html", chosen=chosen, channels=_channels(), channel_words=CHANNELS, kinds=KINDS, missing=missing, errors=errors,
        entered=entered or {"quiet_from": chosen.quiet_from.isoformat("minutes"), "quiet_to": chosen.quiet_to.isoformat("minutes")},
    )  # fmt: skip
    return page, status


@blueprint.post("/notices/preferences")
def save_choices():
    """Keep them; a time that is none is refused at its field and the rest stays as it was entered."""
    form = request.form
    entered = {name: form.get(name, "").strip() for name in ("quiet_from", "quiet_to")}
    times, errors = {}, {}
    for name, text in entered.items():
        try:
            times[name] = time.fromisoformat(text).replace(second=0, microsecond=0, tzinfo=None)
        except ValueError:
            errors[name] = [_("Enter a time like 22:00.")]
    offered = [(kind, channel) for kind in KINDS for channel in _channels()]
    with engine().reading() as conn:
        before = preference_queries.of(conn, g.person.login)
    # What was chosen for a channel that the office does not offer at present is kept, and so is a default that nobody touched.
    kinds = {pair: wanted for pair, wanted in before.kinds.items() if pair not in set(offered)}
    for kind, channel in offered:
        wanted = form.get(f"want-{kind}-{channel}") == "1"
        if (kind, channel) in before.kinds or wanted != before.wants(kind, channel, ordered=kind == "rung"):
            kinds[kind, channel] = wanted
    chosen = Preference(
        kinds, times.get("quiet_from", before.quiet_from), times.get("quiet_to", before.quiet_to), form.get("quiet_rest_days") == "1",
        form.get("urgent_anytime") == "1", form.get("digest") == "1",
    )  # fmt: skip
    if errors:
        return _page(chosen, errors, entered, 422)
    preferences.save(engine().desk, chosen, by=g.person.login, address=security.address())
    flash(_("Your choice was saved."), "success")
    return redirect(url_for("notices.choices"))
