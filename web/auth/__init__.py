"""The door: signing in and out, the language, one's own account."""

from __future__ import annotations

from flask import Blueprint

blueprint = Blueprint("auth", __name__, template_folder="templates")

from web.auth import views  # noqa: E402, F401  the views register themselves
