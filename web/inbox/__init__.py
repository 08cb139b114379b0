"""To do, done, started by me: the lists of work, and the workbench that sums them up."""

from __future__ import annotations

from flask import Blueprint

blueprint = Blueprint("inbox", __name__, template_folder="templates")

from web.inbox import views  # noqa: E402, F401  the views register themselves
