"""What drafts leave behind that nobody needs: autosaves of finished ones, and who was at work on one long ago."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from sqlalchemy import delete, select, tuple_

from engine.store import tables

if TYPE_CHECKING:
    from engine.runtime.desk import Desk

FINISHED = ("PUBLISHED", "DISCARDED")
AUTOSAVES_FOR = timedelta(days=7)
"""How long what lay in an editor outlives the end of its draft, counted from when it was typed: a discarded draft can be taken back."""
PRESENCE_FOR = timedelta(days=1)
SLICE = 200
"""Rows of a kind that one round removes."""


def sweep(desk: Desk) -> int:
    """Remove a slice of what is left over; returns how many rows went.  A node that has found nothing more asks again the next day."""
    now = desk.engine.clock()
    today = now.astimezone(desk.zone).date()
    if desk.designs_swept == today:
        return 0
    autosave, presence, draft = tables.design_autosave, tables.design_presence, tables.design_draft
    finished = (
        select(autosave.c.draft_key, autosave.c.login, autosave.c.file)
        .join(draft, draft.c.key == autosave.c.draft_key)
        .where(draft.c.state.in_(FINISHED), autosave.c.at < now - AUTOSAVES_FOR)
    )
    gone = select(presence.c.draft_key, presence.c.login).where(presence.c.seen_at < now - PRESENCE_FOR)
    removed = []
    with desk.engine.transaction() as tx:
        for table, chosen, old in ((autosave, finished, autosave.c.at < now - AUTOSAVES_FOR), (presence, gone, presence.c.seen_at < now - PRESENCE_FOR)):
            keys = [tuple(row) for row in tx.execute(chosen.limit(SLICE))]
            removed.append(len(keys))
            if keys:
                # What has been written anew since it was chosen stays.
                tx.execute(delete(table).where(tuple_(*table.primary_key.columns).in_(keys), old))
    if max(removed) < SLICE:
        desk.designs_swept = today
    return sum(removed)
