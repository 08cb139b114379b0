"""The bell: what was told to the signed-in person."""

from __future__ import annotations

from flask import Blueprint

blueprint = Blueprint("notices", __name__, template_folder="templates")

from web.notices import preference_views, views  # noqa: E402, F401  the views register themselves
