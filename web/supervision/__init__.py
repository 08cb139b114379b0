"""Supervision 督办: every open case with its clock, who was told, what comes next."""

from __future__ import annotations

from flask import Blueprint

blueprint = Blueprint("supervision", __name__, template_folder="templates")

from web.supervision import (  # noqa: E402, F401  the views register themselves
    acting,
    bulletin_views,
    card_views,
    changes,
    deduction_views,
    drill,
    figure_views,
    heat,
    order_views,
    reports,
    rule_views,
    screen,
    views,
)
