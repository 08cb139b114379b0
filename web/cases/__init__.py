"""Cases: opening one, looking at one, finding one, and the papers that belong to it."""

from __future__ import annotations

from flask import Blueprint

blueprint = Blueprint("cases", __name__, template_folder="templates")

from web.cases import clock_acting, clock_extending, outside, search, starting, views  # noqa: E402, F401  the views register themselves
