"""Procedure design: what is deployed, deploying more, reading a version with its findings."""

from __future__ import annotations

from flask import Blueprint

blueprint = Blueprint("designer", __name__, template_folder="templates")

from web.designer import views  # noqa: E402, F401  the views register themselves
