"""The health page, for monitors."""

from __future__ import annotations

from flask import Blueprint

blueprint = Blueprint("health", __name__, template_folder="templates")

from web.health import views  # noqa: E402, F401  the views register themselves
