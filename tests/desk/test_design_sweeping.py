"""What finished drafts leave behind is removed once a day, slice by slice; what somebody may still need stays."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import update

from engine.runtime.design import drafts, sweeping
from engine.store import tables
from tests.desk import desk_models as models


@pytest.fixture
def designer(desk):
    desk.people.save_person("mei", name="梅", section_code="office", roles=["designer"], password=models.PASSWORD, by="system")
    return desk


def left(rows) -> tuple[int, int]:
    return len(rows(tables.design_autosave)), len(rows(tables.design_presence))


@pytest.mark.parametrize("state", ["PUBLISHED", "DISCARDED"])
def test_autosaves_of_finished_drafts_go_after_a_week_and_those_of_open_ones_never(designer, engine, clock, rows, state):
    ended, open_ = (drafts.create(designer, title=title, by="mei") for title in ("旧", "新"))
    for draft in (ended, open_):
        drafts.autosave(designer, draft.key, "README.md", "打了一半", revision=1, by="mei")
    with engine.transaction(by="mei") as tx:
        tx.execute(update(tables.design_draft).where(tables.design_draft.c.key == ended.key).values(state=state))
    clock.now += sweeping.AUTOSAVES_FOR - timedelta(hours=1)
    assert sweeping.sweep(designer) == 2 and left(rows) == (2, 0)  # who was there a week ago is not there any more
    clock.now += timedelta(days=1)
    engine.run_due()
    (row,) = rows(tables.design_autosave)
    assert row["draft_key"] == open_.key
    clock.now += timedelta(days=400)
    engine.run_due()
    assert left(rows) == (1, 0)


def test_much_that_is_left_over_goes_in_slices_and_a_clean_room_is_not_asked_again_that_day(designer, engine, clock, rows, monkeypatch):
    monkeypatch.setattr(sweeping, "SLICE", 3)
    draft = drafts.create(designer, title="旧", by="mei")
    with engine.transaction(by="mei") as tx:
        for number in range(7):
            tx.add(tables.design_presence, draft_key=draft.key, login=f"p{number}", seen_at=clock.now)
    clock.now += timedelta(days=2)
    drafts.touch(designer, draft.key, by="mei")
    assert [sweeping.sweep(designer) for _ in range(4)] == [3, 3, 1, 0]
    assert [row["login"] for row in rows(tables.design_presence)] == ["mei"]
    clock.now += timedelta(hours=26)
    assert sweeping.sweep(designer) == 1
