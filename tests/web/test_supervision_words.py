"""What the ledger of a limit says, in words that people of the office use."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest

from engine.deadlines import Rule, seed_years
from engine.deadlines.clock import start, stop
from engine.deadlines.ladder import load_ladders
from engine.words import Words
from web.supervision import words

LADDERS = load_ladders((Path(__file__).parents[2] / "processes" / "ladders.yaml").read_bytes())


@pytest.mark.parametrize("code", sorted({code for ladder in LADDERS.values() for rung in ladder.rungs for code in rung.escalation_codes}))
def test_an_escalation_of_the_delivered_ladders_is_no_code_to_its_reader(code):
    said = words.action_word(f"escalate:{code}")
    assert isinstance(said.params["code"], Words)


def test_a_code_of_an_offices_own_stands_as_it_is():
    assert words.action_word("escalate:超期三级").params["code"] == "超期三级"


@pytest.mark.parametrize(("notes", "word"), [({}, "Closed in time"), ({"followed_by": 7}, "Started anew")])
def test_a_limit_that_was_started_anew_does_not_say_that_it_was_closed(notes, word):
    began, calendar = datetime(2026, 11, 23, 1, tzinfo=UTC), seed_years()
    clock = stop(start(Rule("a", "答复", 20, "wd"), began), began + timedelta(days=3))
    row = SimpleNamespace(ledger={**clock.to_dict(), **notes})
    assert str(words.read(row, None, calendar, began + timedelta(days=4)).word).casefold() == word.casefold()
