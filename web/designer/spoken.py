"""Plain data for the scripts of the room's pages: sentences in the reader's language, instants with their office time."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from engine.words import Words
from web import filters
from web.i18n import say


def spoken(value: Any) -> Any:
    """Plain data for the page: sentences in the reader's language, instants with their office time too, exact numbers as numbers."""
    if isinstance(value, Words):
        return say(value)
    if isinstance(value, datetime):
        return {"iso": value.isoformat(), "text": filters.localdatetime(value)}
    if isinstance(value, Decimal):
        return int(value) if value == int(value) else float(value)
    if isinstance(value, Mapping):
        return {str(name): spoken(each) for name, each in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [spoken(each) for each in value]
    return value if value is None or isinstance(value, (str, int, float, bool)) else str(value)
