from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.deadlines.calendar import CLOSED, MAKEUP, STATUTORY, WORKDAY, WORKED_KINDS, WorkCalendar, official_year, provisional_year
from engine.deadlines.notice_findings import ERROR, NOTE, WARNING
from engine.deadlines.notices_of_holidays import read_notice
from engine.deadlines.notices_written import render_notice, special_days, to_ics
from engine.words import translate
from tests.deadlines.holiday_notices import IMAGINED_2027, NOTICES

STAMP = "20261123T010000Z"


def words(reading, severity=None):
    return [str(each.text) for each in reading.findings if severity in (None, each.severity)]


def lines(reading, severity):
    return [each.line for each in reading.findings if each.severity == severity]


@pytest.mark.parametrize("year", range(2020, 2027))
def test_the_published_notice_gives_the_official_year(year):
    reading = read_notice(NOTICES[year])
    assert reading.year == year and not reading.refused
    official = WorkCalendar({number: official_year(number) for number in (year - 1, year)})
    for entry in reading.days:
        if year == 2020 and entry.day == date(2020, 2, 1):
            continue  # a later notice of that January made the day a holiday
        assert (entry.kind in WORKED_KINDS) == official.is_workday(entry.day), entry
    named = {entry.day for entry in reading.days}
    exceptions = {date(2020, 1, 31), date(2020, 2, 1), date(2020, 2, 2)}  # the same later notice
    for day, kind, _ in special_days(official.year(year)):
        plain_weekend = day.weekday() >= 5 and kind == STATUTORY  # the next year's notice may name the last days of December
        assert day in named or day in exceptions or plain_weekend, day


def test_the_number_of_the_notice_and_the_advice_to_rest_are_told_apart():
    assert read_notice(NOTICES[2026]).notice == "国办发明电〔2025〕7号"
    reading = read_notice(NOTICES[2024])
    assert date(2024, 2, 9) not in {entry.day for entry in reading.days}
    assert lines(reading, NOTE) == [3]
    assert words(reading, WARNING) == []


@pytest.mark.parametrize("year", range(2020, 2027))
def test_a_rendered_year_reads_back(year):
    official = official_year(year)
    expected = {day: kind in WORKED_KINDS for day, kind, _ in special_days(official)}
    reading = read_notice(render_notice(official))
    assert {entry.day: entry.kind in WORKED_KINDS for entry in reading.days} == expected
    assert not reading.refused
    again = read_notice(to_ics(official, "市科技局；测试", STAMP))
    assert {entry.day: entry.kind for entry in again.days} == {day: kind for day, kind, _ in special_days(official)}
    assert [entry.name for entry in again.days] == [name for _, _, name in special_days(official)]


def test_the_reading_of_2026_gives_the_kinds_of_the_official_table():
    held = {day: kind for day, kind, _ in special_days(official_year(2026))}
    assert {entry.day: entry.kind for entry in read_notice(NOTICES[2026]).days} == held


def test_several_sections_in_one_line_with_full_width_and_chinese_numbers():
    text = "关于２０２７年部分节假日安排：（一）元旦：一月一日至三日放假，共三天。（二）春节:2月5日—12日放假调休。1月31日(周日)和2月20日(周六)上班。"
    reading = read_notice(text)
    kinds = {entry.day: entry.kind for entry in reading.days}
    assert len(kinds) == 3 + 8 + 2 and kinds[date(2027, 1, 31)] == MAKEUP and kinds[date(2027, 1, 3)] == STATUTORY
    assert not reading.refused


@pytest.mark.parametrize(
    "text, severity, line, said",
    [
        (
            "2027年放假：\n一、元旦：1月1日至3日放假。\n二、春节：1月3日上班。",
            ERROR,
            3,
            "2027-01-03 is a day off in line 2 and a working day in line 3.",
        ),
        (
            "2027年放假：\n一、元旦：1月1日至3日放假。\n二、春节：1月3日放假。",
            WARNING,
            3,
            "2027-01-03 is named twice, in line 2 and in line 3.",
        ),
        ("2027年放假：\n一、元旦：1月1日（周四）放假。", WARNING, 2, "2027-01-01 is a Friday, but the line says Thursday."),
        ("2027年放假：\n一、元旦：1月1日至3日放假，共4天。", WARNING, 2, "The line says 4 day(s), but names 3."),
        ("2027年放假：\n一、春节：2月30日放假。", ERROR, 2, "There is no such day: 2月30日"),
        ("2027年放假：\n一、春节：2月12日至5日放假。", ERROR, 2, "From 2027-02-12 to 2027-02-05 is not a holiday."),
        ("2027年放假：\n一、春节：3日放假。", ERROR, 2, "A date without a month: 3日"),
        ("2027年放假：\n一、春节：2029年2月3日放假。", ERROR, 2, "2029-02-03 does not belong to 2027."),
        (
            "2027年放假：\n一、春节：2月5日放假。\n3月8日妇女可以早走。",
            WARNING,
            3,
            "This was not understood and left out: 3月8日妇女可以早走",
        ),
        ("2027年放假：\n一、春节：2月5日放假。2月10日（周三）补班。", WARNING, 2, "2027-02-10 is a weekday and worked anyway."),
        ("一、元旦：1月1日放假。", ERROR, 0, "The text does not say which year it is about; choose the year."),
        ("天气晴，2027年", ERROR, 0, "No day off and no working day was found in the text."),
    ],
)
def test_what_is_wrong_with_a_notice_is_said_with_its_line(text, severity, line, said):
    reading = read_notice(text)
    found = [(each.severity, each.line, translate(each.text, str)) for each in reading.findings]
    assert (severity, line, said) in found


def test_a_notice_about_another_year_is_refused():
    reading = read_notice(NOTICES[2026], 2027)
    assert reading.refused and "The notice is about 2026, not about 2027." in words(reading, ERROR)


def test_a_local_order_closes_the_office():
    reading = read_notice("关于2026年7月防汛期间停止办公的通知\n7月21日至22日停止办公。7月25日（周六）补班。", 2026)
    assert {entry.day.day: entry.kind for entry in reading.days} == {21: CLOSED, 22: CLOSED, 25: MAKEUP}


def test_a_table_is_read_in_chinese_and_in_codes():
    reading = read_notice(
        "\ufeff日期,类别,名称\r\n2027-01-01,休,元旦\r\n2027/1/31,班,春节\r\n20270803,closed,防汛\r\n2027-01-05,工作日,\r\n"
    )
    assert [(entry.day.isoformat(), entry.kind, entry.name) for entry in reading.days] == [
        ("2027-01-01", STATUTORY, "元旦"), ("2027-01-05", WORKDAY, ""), ("2027-01-31", MAKEUP, "春节"), ("2027-08-03", CLOSED, "防汛"),
    ]  # fmt: skip
    bad = read_notice("date,kind\n2027-02-30,休\n2027-01-01,哪天\n")
    assert lines(bad, ERROR) == [2, 3]


def test_a_calendar_file_of_a_telephone_is_read():
    event = "BEGIN:VEVENT\nDTSTART;VALUE=DATE:20270101\nDTEND;VALUE=DATE:20270104\nSUMMARY;LANGUAGE=zh_CN:元旦（休）\nX-APPLE-SPECIAL-DAY:WORK-HOLIDAY\nEND:VEVENT\n"
    other = "BEGIN:VEVENT\nDTSTART;VALUE=DATE:20270131\nSUMMARY:春节\n （班）\nEND:VEVENT\nBEGIN:VEVENT\nDTSTART:20270308\nSUMMARY:妇女节\nEND:VEVENT\n"
    reading = read_notice("BEGIN:VCALENDAR\n" + event + other + "END:VCALENDAR\n", 2027)
    assert {entry.day.isoformat(): (entry.kind, entry.name) for entry in reading.days} == {
        "2027-01-01": (STATUTORY, "元旦"), "2027-01-02": (STATUTORY, "元旦"), "2027-01-03": (STATUTORY, "元旦"), "2027-01-31": (MAKEUP, "春节"),
    }  # fmt: skip
    assert len(lines(reading, NOTE)) == 1


FRAGMENTS = st.sampled_from(
    ["一、", "元旦", "春节", "：", ":", "1月", "13月", "31日", "0日", "至", "（周四）", "（", "）", "放假", "调休", "共3天", "上班", "。", "\n", "2027年", "9999年", "年",
     "停止办公", "、", "BEGIN:VCALENDAR", "BEGIN:VEVENT", "DTSTART:", "20270101", "DURATION:P1D", "END:VEVENT", "SUMMARY:休", "2027-01-01,休,", "date,", '"', "\0", "十", "〇月",
     "DTEND:99991231", "99991231"]
)  # fmt: skip


@settings(max_examples=400, deadline=None)
@given(st.one_of(st.text(max_size=200), st.lists(FRAGMENTS, max_size=40).map("".join)), st.one_of(st.none(), st.integers(1, 9999)))
def test_no_text_makes_the_reader_fall_over(text, year):
    reading = read_notice(text, year)
    assert reading.days or reading.findings
    for finding in reading.findings:
        assert translate(finding.text, str)
        assert 0 <= finding.line <= len(text.splitlines()) + 1
    assert len({entry.day for entry in reading.days}) == len(reading.days)


@settings(max_examples=100, deadline=None)
@given(st.integers(2001, 2099), st.data())
def test_any_arrangement_of_whole_days_reads_back(number, data):
    """Holidays of any length anywhere in a year, each with its make-up days on free weekends."""
    from engine.deadlines.arrangement import ArrangedDay, arranged

    names = ["元旦", "春节", "清明节", "劳动节", "端午节", "中秋节", "国庆节"]
    starts = sorted(data.draw(st.sets(st.integers(1, 51), min_size=1, max_size=7)))
    days = []
    for name, week in zip(names, starts, strict=False):
        first = date(number, 1, 1) + timedelta(days=7 * week - data.draw(st.integers(0, 6)))
        for offset in range(data.draw(st.integers(1, 5))):
            day = first + timedelta(days=offset)
            if day.month < 12 and day not in {each.day for each in days}:
                days.append(ArrangedDay(day, STATUTORY, name))
    if not days:
        return
    year = arranged(WorkCalendar(), days, [number]).year(number)
    reading = read_notice(render_notice(year))
    assert {entry.day for entry in reading.days} == {each.day for each in days}
    assert not any(entry.kind in WORKED_KINDS for entry in reading.days)


def test_an_arrangement_of_a_whole_year_keeps_the_closures_of_the_office():
    from engine.deadlines.arrangement import ArrangedDay, arranged, differences

    before = arranged(WorkCalendar(), [ArrangedDay(date(2027, 7, 21), CLOSED, "防汛")], (), "市政府通告")
    assert before.year_status(2027) == "provisional"
    reading = read_notice(IMAGINED_2027)
    assert words(reading, WARNING) == [] and not reading.refused
    days = [ArrangedDay(each.day, each.kind, each.name, each.line) for each in reading.days]
    after = arranged(before, days, [2027], reading.notice)
    assert after.year_status(2027) == "official" and after.kind(date(2027, 7, 21)) == CLOSED
    assert after.is_workday(date(2027, 1, 31)) and not after.is_workday(date(2027, 2, 12))
    changed = {each.day for each in differences(before, after, [2027])}
    assert date(2027, 7, 21) not in changed and date(2027, 2, 20) in changed
    assert provisional_year(2027).kinds == WorkCalendar().year(2027).kinds
