"""The menu, as data: which page, for whom.  What is not for a person is not shown."""

from __future__ import annotations

from dataclasses import dataclass

from flask import current_app, g, request, url_for

from engine.words import T, Words
from web.people import INSIDE


@dataclass(frozen=True)
class Item:
    """``permission`` is a key of :data:`web.people.PERMISSIONS`, :data:`web.people.INSIDE`, or empty for everybody; ``count`` names a number to show.

    ``phone`` puts the item into the bottom bar of a narrow screen.  ``room`` marks the item on all pages of that blueprint.
    """

    endpoint: str
    label: Words
    icon: str
    room: str
    arguments: tuple[tuple[str, str], ...] = ()
    permission: str = ""
    count: str = ""
    phone: bool = False


MENU: tuple[Item, ...] = (
    Item("inbox.home", T("Workbench"), "home", "home"),
    Item("inbox.index", T("To do"), "inbox", "todo", count="todo", phone=True),
    Item("notices.index", T("Notices"), "bell", "notices", count="unread"),
    Item("inbox.done", T("Done"), "checks", "done"),
    Item("inbox.started", T("Started by me"), "send", "started"),
    Item("cases.procedures", T("New case"), "file-plus", "start", phone=True),
    Item("supervision.index", T("Supervision"), "gauge", "supervision", permission="supervise", phone=True),
    Item("supervision.orders", T("Supervision orders"), "urgent", "orders", permission=INSIDE),
    Item("supervision.cards", T("Supervision cards"), "alert-triangle", "cards", permission=INSIDE),
    Item("supervision.register", T("Register"), "table", "register", permission="register"),
    Item("cases.public_list", T("Public list"), "world", "public"),
    Item("limits.index", T("Limits"), "clock", "limits", permission="limits"),
    Item("designer.index", T("Procedure design"), "sitemap", "designer", permission="design"),
    Item("designer.submissions", T("Awaiting publication"), "sitemap", "publications", permission="publications_room"),
    Item("operations.index", T("Process monitor"), "activity", "operations", permission="monitor", phone=True),
    Item("admin.recalculations", T("Due dates to decide"), "calendar", "dates", permission="dates_room"),
    Item("admin.index", T("Administration"), "settings", "admin", permission="administer"),
    Item("admin.audit", T("Audit log"), "list-details", "audit", permission="audit"),
    Item("auth.me", T("Me"), "user", "me", phone=True),
)
SIDE_HIDDEN = frozenset({"me"})


def visible_items() -> list[Item]:
    """What this person may use, of what this installation has."""
    known = current_app.view_functions
    return [item for item in MENU if item.endpoint in known and (not item.permission or g.person.may(item.permission))]


def side_menu() -> list[Item]:
    return [item for item in visible_items() if item.room not in SIDE_HIDDEN]


def phone_menu() -> list[Item]:
    return [item for item in visible_items() if item.phone][:5]


def address_of(item: Item) -> str:
    return url_for(item.endpoint, **dict(item.arguments))


def is_current(item: Item) -> bool:
    """Whether this page belongs to ``item``; a view may say so with ``g.room``, otherwise its blueprint's name counts."""
    room = g.get("room")
    return item.room == room if room else item.endpoint == request.endpoint or item.room == request.blueprint
