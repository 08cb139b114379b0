"""Limits 时限: the rule table and the ladders, their versions, what they would do, and what they do on a real case."""

from __future__ import annotations

from flask import Blueprint

blueprint = Blueprint("limits", __name__, template_folder="templates")

from web.limits import ladder_views, rule_views  # noqa: E402, F401  the views register themselves
