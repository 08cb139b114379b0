"""The words of the holiday notices (2008–2026): how dates, headings and what becomes of a day are written, in text, tables and iCalendar."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from datetime import date

from engine.deadlines.calendar import CLOSED, IN_LIEU, MAKEUP, STATUTORY, WEEKEND, WORKDAY

WEEKDAYS = "一二三四五六日"
CSV_LINE = re.compile(r"\d{4}[-/.]?\d{1,2}[-/.]?\d{1,2}\s*[,;\t]")
CSV_HEAD = re.compile(r"(?:date|day|日期)\s*[,;\t]", re.IGNORECASE)
NOTICE_NO = re.compile(r"[\u4e00-\u9fff]{2,12}〔\d{4}〕\d{1,4}号")
TITLE_YEAR = re.compile(r"(\d{4})年(?=部分节假日|(?:元旦|节假日|放假|法定))")
HEADING = re.compile(
    r"(?:\(?[一二三四五六七八九十]{1,3}\)?[、.]|\(?\d{1,2}[、.)])\s*([^:,。;、\d]{1,14}(?:[、和与及][^:,。;、\d]{1,14}){0,3}):|([^:,。;、\s\d]{1,12}(?:[、和与及][^:,。;、\s\d]{1,12}){0,3}):"
)
DATE = re.compile(r"(?:(\d{4})年)?(?:(\d{1,2})月)?(\d{1,2})[日号](\([^()]{0,40}\))?")
RANGE_MARK = re.compile(r"\s*(?:至|到|[-~—–]{1,2})\s*\Z")
KEYWORD = re.compile(r"起(?:恢复)?正常上班|正常上班|照常上班|调休上班|补班|上班|放假调休|调休放假|放假|休息|调休|停止办公|暂停办公|停办")
COUNT = re.compile(r"(?:共|放假)\s*(\d{1,3})\s*天")
WEEKDAY = re.compile(r"(?:周|星期|礼拜)([一二三四五六日天])")
ADVICE = re.compile(r"鼓励|建议|可结合|倡导")
HAN_NUMBER = re.compile(r"(?<![周期拜初])([一二三四五六七八九十]{1,3})(?=[月日号])")
SIGNATURE = re.compile(r"(?:国务院办公厅)?\s*\d{4}年\d{1,2}月\d{1,2}日")
ORDINARY, WORKED = "ordinary", "worked"
MEANING = {"休息": STATUTORY, "调休": STATUTORY, "停止办公": CLOSED, "暂停办公": CLOSED, "停办": CLOSED}
CSV_KINDS = {
    "休": STATUTORY, "放假": STATUTORY, "节假日": STATUTORY, "法定节假日": STATUTORY, "holiday": STATUTORY, "off": STATUTORY, "调休": IN_LIEU, "补休": IN_LIEU,
    "班": MAKEUP, "上班": MAKEUP, "补班": MAKEUP, "调休上班": MAKEUP, "makeup": MAKEUP, "停办": CLOSED, "停止办公": CLOSED, "本局停办": CLOSED, "工作日": WORKDAY,
    "周末": WEEKEND, **{kind: kind for kind in (STATUTORY, IN_LIEU, MAKEUP, CLOSED, WORKDAY, WEEKEND)},
}  # fmt: skip


def meaning_of(keyword: str) -> str:
    """What a keyword of a sentence makes of its days: a kind of day, :data:`WORKED` or :data:`ORDINARY`."""
    if keyword.startswith("起") or keyword in ("正常上班", "照常上班"):
        return ORDINARY
    if keyword.endswith(("上班", "补班")):
        return WORKED
    return MEANING.get(keyword, STATUTORY)


def plain(text: str) -> str:
    """Full-width signs as plain ones, dashes and Chinese numbers of dates in one spelling."""
    text = unicodedata.normalize("NFKC", text).replace("：", ":")
    text = re.sub(r"[－—–―~～]", "-", text)
    return HAN_NUMBER.sub(lambda found: str(han(found.group(1))), text)


def han(digits: str) -> int:
    """A number below a hundred in Chinese figures."""
    if "十" not in digits:
        return int("".join(str("〇一二三四五六七八九".index(each)) for each in digits))
    tens, _, ones = digits.partition("十")
    value = {each: number for number, each in enumerate("〇一二三四五六七八九")}
    return value.get(tens[-1:], 1) * 10 + (value.get(ones[:1], 0) if ones else 0)


def duration(text: str) -> int:
    """The days of an iCalendar duration in days or weeks; 1 for any other."""
    found = re.fullmatch(r"\s*P(?:(\d{1,3})D|(\d{1,2})W)\s*", text.upper())
    if not found:
        return 1
    return int(found.group(1)) if found.group(1) else 7 * int(found.group(2))


def unfolded(text: str) -> Iterable[tuple[int, str]]:
    """The content lines of an iCalendar file (RFC 5545 §3.1) with the number of the line they begin in."""
    begun, line = 0, None
    for number, raw in enumerate(text.lstrip("\ufeff \t\r\n").splitlines(), start=1):
        if raw[:1] in (" ", "\t") and line is not None:
            line += raw[1:]
            continue
        if line is not None:
            yield begun, line
        begun, line = number, raw
    if line is not None:
        yield begun, line


def day_of(text: str) -> date | None:
    """A day as tables and calendars write it; ``None`` for anything else."""
    found = re.fullmatch(r"(\d{4})(?:[-/.年](\d{1,2})[-/.月](\d{1,2})日?|(\d{2})(\d{2}))", unicodedata.normalize("NFKC", text).strip())
    if not found:
        return None
    parts = [int(part) for part in found.groups() if part]
    try:
        return date(*parts)
    except ValueError:
        return None
