"""Procedure design: what is deployed, deploying more, reading a version with its findings."""

from __future__ import annotations

from flask import Blueprint

blueprint = Blueprint("designer", __name__, template_folder="templates")

from web.designer import (  # noqa: E402  the views register themselves
    draft_views,  # noqa: F401
    editor_views,  # noqa: F401
    exchange_views,  # noqa: F401
    help_views,  # noqa: F401
    publish_views,  # noqa: F401
    run_views,  # noqa: F401
    sheet_views,  # noqa: F401
    statistics_views,  # noqa: F401
    try_views,  # noqa: F401
    version_views,  # noqa: F401
    views,  # noqa: F401
)
