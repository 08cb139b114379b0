"""From the numbers of the board and the figures to the cases behind them, and back with the filters."""

from __future__ import annotations

import re

import pytest
from sqlalchemy import true

from engine.deadlines import Clock, balance
from engine.runtime.supervision import figures, persons
from engine.runtime.supervision.figures import Figures, Period, Score
from tests.web.rooms import app, browse, clock, engine, open_case, selects, statements  # noqa: F401  fixtures
from tests.web.test_supervision_figures import finished  # noqa: F401  a fixture
from web.supervision import queries
from web.supervision.figure_views import FigureState
from web.supervision.state import BoardState


def rows_of(page: str) -> str:
    return page[page.index("<tbody>") :] if "<tbody>" in page else ""


def test_the_board_of_a_person_shows_what_they_have_and_counts_only_that(browse, engine, open_case):
    mine, other = open_case(subject="李办的"), open_case(subject="没人办的")
    task = next(task for task in engine.user_tasks(mine.key))
    engine.desk.claim(task.key, by="li")
    page = browse("du").get("/supervision?person=li").get_data(as_text=True)
    assert "李办的" in page and "没人办的" not in page
    assert "李强" in page[: page.index('id="board"')], "the filter is named and can be cleared"
    assert re.search(r"All <strong>1</strong>", page)
    assert other.key != mine.key


def test_what_a_count_leads_to_keeps_the_other_filters_and_the_order():
    state = BoardState.of({"section": "gaoxin", "person": "li", "sort": "-due", "light": "red", "page": "3"})
    assert state.narrowed(week=True) == {"section": "gaoxin", "person": "li", "sort": "-due", "week": "1"}


def test_every_light_on_the_board_is_a_link_to_as_many_cases(browse, engine, clock, open_case):
    open_case(subject="甲")
    clock.office("2026-12-02 09:00")
    engine.run_due()
    open_case(subject="乙", accepted=False)
    client = browse("du")
    page = client.get("/supervision").get_data(as_text=True)
    counts = page[page.index('class="light-counts"') : page.index("</ul>", page.index('class="light-counts"'))]
    links = re.findall(r'<li><a href="([^"]+)".*?<strong>(\d+)</strong>', counts, re.S)
    assert len(links) >= 8
    for address, number in links:
        shown = client.get(address.replace("&amp;", "&")).get_data(as_text=True).count("<tr id=")
        assert shown == int(number), address


def test_a_pause_is_long_after_as_many_working_days_as_the_settings_say(engine, clock, open_case):
    paused = open_case(accepted=False)
    engine.desk.complete_task(next(task for task in engine.user_tasks(paused.key)).key, {}, outcome="supplement", by="wang")
    clock.office("2026-11-26 09:00")  # three working days later
    for days, number in ((2, 1), (3, 0), (10, 0)):
        state = BoardState(paused_workdays=days)
        with engine.reading() as conn:
            assert queries.counts(conn, true(), state, clock(), engine.calendar).paused_long == number, days
            assert queries.board(conn, true(), BoardState(paused_long=True, paused_workdays=days), clock(), engine.calendar)[1] == number


@pytest.mark.parametrize(
    ("scores", "places"),
    [
        ([Score(10, 0), Score(10, 0), Score(10, 1), Score()], [(1, True), (1, True), (3, False), (None, False)]),
        ([Score(10, 0), Score(10, 0, overdue=1), Score(4, 2)], [(1, False), (2, False), (3, False)]),
        ([Score(), Score()], [(None, False), (None, False)]),
    ],
)
def test_equal_sections_share_a_place_and_the_next_is_left_out(scores, places):
    found = Figures(Period.month(clock_day()), sections={str(number): score for number, score in enumerate(scores)})
    assert [(place.rank, place.tied) for place in figures.league(found)] == places
    assert [place.score.small for place in figures.league(found)] == [0 < score.finished < figures.SMALL for score in scores]


def clock_day():
    from datetime import date

    return date(2026, 11, 23)


def test_a_month_may_stand_in_the_address(clock, browse, finished):
    assert FigureState.of({"period": "2026-10"}).days(clock_day()) == Period.month(clock_day().replace(month=10))
    assert FigureState.of({"period": "2026-13"}).period == "month"
    page = browse("du").get("/supervision/figures?period=2026-10").get_data(as_text=True)
    assert '<option value="2026-10" selected>2026-10</option>' in page


def test_the_league_leads_to_the_section_its_people_and_their_cases(browse, engine, finished):
    client = browse("du")
    league = client.get("/supervision/figures?period=2026-10").get_data(as_text=True)
    assert 'href="/supervision/section/gaoxin?period=2026-10"' in league
    page = rows_of(client.get("/supervision/section/gaoxin?period=2026-10").get_data(as_text=True))
    line = page[page.index("李强") : page.index("</tr>", page.index("李强"))]
    assert ">5<" in line, "five steps finished in October"
    unclaimed = re.search(r'href="(/supervision\?[^"]*unclaimed=1[^"]*)">(\d+)<', page)
    board = client.get(unclaimed[1].replace("&amp;", "&")).get_data(as_text=True)
    assert board.count("<tr id=") == int(unclaimed[2]) == 1


def test_the_people_of_a_section_are_counted_from_steps(engine, clock, finished):
    with engine.reading() as conn:
        found = persons.work(conn, true(), "gaoxin", Period.month(clock_day().replace(month=10)), engine.calendar, clock())
    # From 12 October to 30 October there are fifteen working days after the first.
    assert (found["li"].finished, found["li"].median) == (5, engine.calendar.workdays_between(clock_day().replace(month=10, day=12), clock_day().replace(month=10, day=30)))
    assert found[""].cases == {finished[-1].key}
    with engine.reading() as conn:
        assert persons.work(conn, true(), "", Period.month(clock_day()), engine.calendar, clock()) == {}


def test_a_number_of_the_figures_leads_to_as_many_limits_and_these_to_their_ledgers(browse, finished):
    client = browse("du")
    league = client.get("/supervision/figures?period=2026-10").get_data(as_text=True)
    links = re.findall(r'<a href="(/supervision/limits\?[^"]+)">(\d+)</a>', league)
    assert any("late=1" in address for address, _number in links)
    for address, number in links:
        page = client.get(address.replace("&amp;", "&")).get_data(as_text=True)
        assert f", {number}</caption>" in page, address
    ledger = re.search(r'data-href="(/supervision/\d+)"', page)[1]
    back = client.get(ledger).get_data(as_text=True)
    assert 'href="/supervision/limits?' in back, "the way back leads to the list with its filters"


@pytest.mark.parametrize("page", ["/supervision/section/gaoxin", "/supervision/limits", "/supervision/section/-"])
def test_only_supervision_may_drill_and_a_chief_sees_the_own_section(browse, finished, page):
    assert browse("li").get(page).status_code == 403
    assert browse("auditor").get(page).status_code == 200
    assert "旧件" not in browse("zhou").get(f"{page}?period=2026-10").get_data(as_text=True)
    assert browse("du").get("/supervision/section/nothing").status_code == 404


@pytest.mark.parametrize("page", ["/supervision/section/gaoxin", "/supervision/limits?period=2026-10"])
def test_a_drill_page_costs_the_same_with_many_cases(browse, engine, finished, page):
    client = browse("du")
    client.get(page)
    with statements(engine) as sent:
        client.get(page)
    assert len(selects(sent)) <= 6, "\n\n".join(selects(sent))


def test_the_cases_that_wait_at_a_step_of_the_heat_map_are_one_click_away(browse, finished):
    client = browse("du")
    heat = client.get("/supervision/heat?process=licence").get_data(as_text=True)
    address, number = re.search(r'<a href="(/supervision\?step=[^"]+)">(\d+)</a>', heat).groups()
    board = client.get(address).get_data(as_text=True)
    assert board.count("<tr id=") == int(number) == 1
    assert "旧件" not in board and "新件" in board
    assert client.get("/supervision?step=licence/nowhere").get_data(as_text=True).count("<tr id=") == 0
    assert client.get("/supervision?step=nonsense").status_code == 200


def test_what_is_left_never_exceeds_the_limit_on_the_board_the_screen_the_ledger_and_in_the_export(browse, engine, open_case, clock):
    clock.office("2026-11-23 18:37")
    case = open_case(accepted=False, subject="下班后收到")
    with engine.reading() as conn:
        state = BoardState.of({})
        (line,), _total = queries.board(conn, true(), state, engine.clock(), engine.calendar)
    said = balance(Clock.from_dict(dict(line.case.ledger)), engine.calendar, engine.clock())
    assert (said.used, said.left) == (0, said.budget) and said.begins is not None
    told = f"{said.left} working day(s) left"
    begins = f"counted from {said.begins:%m-%d}"
    for address in ("/supervision", "/supervision/screen", f"/supervision/{case.key}", "/inbox"):
        page = browse("du" if address != "/inbox" else "wang").get(address, follow_redirects=True).get_data(as_text=True)
        assert told in page and begins in page, address
