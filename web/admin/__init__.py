"""Administration: people and sections (administrator), the log (auditor), the calendar, the demo clock."""

from __future__ import annotations

from flask import Blueprint

blueprint = Blueprint("admin", __name__, template_folder="templates")

from web.admin import audit_views, calendar_views, clock_views, delivery_views, organisation_views, views  # noqa: E402, F401  the views register themselves
