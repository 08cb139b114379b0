"""Deliveries: what could not be sent, and what is to be done about it."""

from __future__ import annotations

from math import ceil

from flask import flash, g, redirect, render_template, request, url_for
from flask_babel import gettext as _
from flask_babel import ngettext

from engine.errors import EngineError
from engine.runtime.telling import deliveries
from engine.runtime.telling.preferences import CHANNELS, KINDS
from engine.words import T, Words
from web import security
from web.admin import blueprint, delivery_queries
from web.admin.views import desk, engine, page_number
from web.i18n import say
from web.people import requires
from web.requests import number

OTHER_KINDS: dict[str, Words] = {"alarm": T("alarm"), "test": T("test message")}
SHOWN_STATES = ("QUEUED", "DELAYED", "SENT", "FAILED")
"""The columns of the table of channels; the rest is found by the filter."""


@blueprint.get("/admin/deliveries")
@requires("administer")
def delivery_list():
    """The failed deliveries, or others by the filter; the channels with their counts."""
    g.room = "admin"
    args = request.args
    state, channel = args.get("state", "FAILED"), args.get("channel", "")
    chosen = delivery_queries.DeliveryFilter(
        state=state if state in deliveries.STATES else "", channel=channel if channel in CHANNELS else "", login=args.get("login", "")[:100],
        page=page_number(),
    )  # fmt: skip
    with engine().reading() as conn:
        rows, total = delivery_queries.page(conn, chosen)
        numbers = delivery_queries.counts(conn)
    channels = [name for name in CHANNELS if name in desk().settings.outbox_channels or name in numbers]
    return render_template(
        "admin/deliveries.html", rows=rows, total=total, pages=max(1, ceil(total / delivery_queries.PAGE_SIZE)), chosen=chosen,
        numbers=numbers, channels=channels, in_use=desk().settings.outbox_channels, channel_words=CHANNELS, state_words=deliveries.STATES,
        shown_states=SHOWN_STATES, kind_words={**KINDS, **OTHER_KINDS}, reasons={row.key: say(deliveries.reason_of(row) or "") for row in rows},
        directory=desk().people.directory(),
    )  # fmt: skip


def _back():
    """To the list as it was; the filter comes along in hidden fields."""
    asked = {name: request.form.get(f"list_{name}") for name in ("state", "channel", "login")}
    return redirect(url_for("admin.delivery_list", **{name: value for name, value in asked.items() if value is not None}))


def _keys() -> list[int]:
    return [key for text in request.form.getlist("keys") if (key := number(text)) is not None]


@blueprint.post("/admin/deliveries")
@requires("administer")
def delivery_act():
    """Retry or give up the chosen deliveries, or retry all that have failed (of the filter's channel)."""
    form, act = request.form, request.form.get("act", "")
    keys, who = _keys(), {"by": g.person.login, "address": security.address()}
    try:
        if act == "retry_all":
            channel = form.get("list_channel", "")
            count = deliveries.retry(desk(), channel=channel if channel in CHANNELS else "", **who)
            flash(ngettext("%(num)d message is sent again.", "%(num)d messages are sent again.", count), "success")
        elif not keys:
            flash(_("Choose at least one message."), "warning")
        elif act == "retry":
            count = deliveries.retry(desk(), keys=keys, **who)
            flash(ngettext("%(num)d message is sent again.", "%(num)d messages are sent again.", count), "success")
        elif act == "give_up":
            count = deliveries.give_up(desk(), keys, form.get("reason", ""), **who)
            flash(ngettext("%(num)d message was given up.", "%(num)d messages were given up.", count), "success")
    except EngineError as refused:
        flash(say(refused.message), "danger")
    return _back()


@blueprint.post("/admin/deliveries/test/<channel>")
@requires("administer")
def delivery_test(channel: str):
    """Send the administrator a test message by a channel."""
    deliveries.send_test(desk(), channel, by=g.person.login, address=security.address())
    flash(
        _("A test message by “%(channel)s” is on its way to you. What becomes of it stands below.", channel=say(CHANNELS[channel])),
        "success",
    )
    return redirect(url_for("admin.delivery_list", state="", channel=channel, login=g.person.login))
