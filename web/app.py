"""The application factory: one engine, one settings object, and the rooms that exist."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from typing import Any

from flask import Flask, current_app, g, redirect, request, session, url_for
from flask_babel import get_locale
from werkzeug.middleware.proxy_fix import ProxyFix

from web import live, menu, security
from web.errors import init_errors, sign_in_first
from web.filters import init_filters
from web.i18n import LANGUAGES, gettext_of, init_languages
from web.requests import KeyConverter, NameConverter, Request

ROOMS: tuple[str, ...] = ("auth", "inbox", "tasks", "cases", "supervision", "limits", "designer", "operations", "admin", "notices", "health")
"""Packages ``web.ROOM`` with a blueprint named ``blueprint``; one that is not installed is left out."""

SETTINGS: dict[str, str] = {
    "SECRET_KEY": "secret_key",
    "SESSION_COOKIE_SECURE": "secure_cookies",
    "SESSION_IDLE_SECONDS": "session_idle_seconds",
    "MAX_CONTENT_LENGTH": "max_request_bytes",
    "SERVER_NAME": "server_name",
    "OFFICE_NAME": "office_name",
}
"""Flask configuration name → attribute of the settings that fills it, where the settings have it."""


def create_app(settings: Any, engine: Any, **overrides: Any) -> Flask:
    """Build the web application around ``engine``.

    ``settings`` is the object of ``web.config``; only attributes named in :data:`SETTINGS` are read here, rooms find the rest
    in ``app.extensions["settings"]``.  ``overrides`` are Flask configuration values (tests).
    """
    app = Flask(__name__, static_folder="static", template_folder="templates")
    app.request_class = Request
    app.url_map.converters.update({"int": KeyConverter, "default": NameConverter, "string": NameConverter})
    app.config.update({name: getattr(settings, key) for name, key in SETTINGS.items() if getattr(settings, key, None) is not None})
    app.config.setdefault("OFFICE_NAME", "")
    app.config.update(overrides)
    if not app.config.get("SECRET_KEY"):
        raise ValueError("the settings need a secret_key: without it sessions could be forged")
    app.extensions["engine"] = engine
    engine.desk.translator = gettext_of
    app.extensions["settings"] = settings
    proxies = getattr(settings, "trusted_proxies", 0)
    if proxies:
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=proxies, x_proto=proxies, x_host=proxies)  # type: ignore[method-assign]

    live.init_live(app, engine, settings)
    security.init_security(app)
    app.before_request(know_who_asks)
    init_languages(app)
    init_filters(app)
    init_errors(app)
    app.context_processor(frame)
    for room in ROOMS:
        if find_spec(f"web.{room}") is not None and (blueprint := getattr(import_module(f"web.{room}"), "blueprint", None)) is not None:
            app.register_blueprint(blueprint)
    app.add_url_rule("/", "root", root)

    @app.teardown_request
    def write_refusals(error: BaseException | None) -> None:
        # A refusal that came up while a connection was in use is written when there is none.
        engine.desk.flush_refusals()

    return app


def know_who_asks():
    """Before each request: load the person in one statement, and send everybody else to the sign-in."""
    g.person = None
    if request.endpoint == "static":
        return None
    g.person = security.current_person()
    if g.person is None and not security.is_public(request.endpoint):
        return sign_in_first()
    return None


def root():
    """The front door."""
    first = next(iter(menu.visible_items()), None)
    return redirect(menu.address_of(first) if first else url_for("auth.me"))


def todo_count() -> int:
    """Open tasks the person can see, for the menu; a view that has counted already leaves the number in ``g.todo``."""
    if "todo" not in g:
        from web.inbox.queries import count_open

        g.todo = count_open(g.person)
    return g.todo


COUNTS = {"todo": todo_count, "unread": lambda: g.person.unread}


def frame() -> dict[str, Any]:
    """What every template can use."""
    return {
        "person": g.get("person"),
        "menu_side": menu.side_menu,
        "menu_phone": menu.phone_menu,
        "menu_url": menu.address_of,
        "menu_current": menu.is_current,
        "menu_count": lambda item: COUNTS[item.count]() if item.count else 0,
        "command_token": security.command_token,
        "csp_nonce": security.nonce,
        "languages": LANGUAGES,
        "office_name": current_app.config["OFFICE_NAME"],
        "list_url": session.get("list_url"),
        "html_language": lambda: get_locale().language,
        "now": current_app.extensions["engine"].clock(),
        "has_page": lambda endpoint: endpoint in current_app.view_functions,
    }
