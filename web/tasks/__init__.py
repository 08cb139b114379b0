"""One task: its form, its papers, what happened before, and the buttons that finish it."""

from __future__ import annotations

from flask import Blueprint

blueprint = Blueprint("tasks", __name__, template_folder="templates")

from web.tasks import views  # noqa: E402, F401  the views register themselves
