"""Process monitor 运行监控: what runs, what is held up, and putting it right."""

from __future__ import annotations

from flask import Blueprint

blueprint = Blueprint("operations", __name__, template_folder="templates")

# The views register themselves.
from web.operations import (  # noqa: E402, F401
    acting_views,
    batch_views,
    incident_views,
    instance_views,
    list_views,
    migration_views,
    variable_views,
    views,
)
