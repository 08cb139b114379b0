"""Reading a holiday notice: the pasted text of a State Council notice, CSV, or an iCalendar file → days and findings.

The grammar is that of the notices themselves (2008–2026): sections headed by the names of the festivals, sentences of dates that
end in 放假, 放假调休, 休息, 上班 or 停止办公.  Nothing is guessed silently: what was not understood, what contradicts itself and what does not
fit the calendar is a :class:`Finding` that names its line.  No text makes the reader raise.
"""

from __future__ import annotations

import csv
import io
import re
import unicodedata
from dataclasses import dataclass, field
from datetime import date, timedelta

from engine.deadlines.calendar import CLOSED, IN_LIEU, MAKEUP, STATUTORY, WEEKEND, provisional_year
from engine.deadlines.notice_findings import ERROR, NOTE, WARNING, DayEntry, Finding, Reading, weekday_words
from engine.deadlines.notice_words import (
    ADVICE,
    COUNT,
    CSV_HEAD,
    CSV_KINDS,
    CSV_LINE,
    DATE,
    HEADING,
    KEYWORD,
    NOTICE_NO,
    ORDINARY,
    RANGE_MARK,
    SIGNATURE,
    TITLE_YEAR,
    WEEKDAY,
    WEEKDAYS,
    WORKED,
    day_of,
    duration,
    meaning_of,
    plain,
    unfolded,
)
from engine.words import T

MAX_CHARACTERS, MAX_LINES, MAX_DAYS, MAX_FINDINGS = 200_000, 4_000, 2_000, 300
LONGEST_HOLIDAY = 31
FESTIVALS = ("元旦", "春节", "清明节", "劳动节", "端午节", "中秋节", "国庆节")


def read_notice(text: str, year: int | None = None) -> Reading:
    """Read a notice in whichever of the three forms it is.

    ``year`` is the year the reader of the page means; a notice that says another year gets a finding.
    """
    if len(text) > MAX_CHARACTERS or text.count("\n") > MAX_LINES:
        return Reading("text", (), (Finding(0, ERROR, T("The text is too long for a holiday notice.")),), year)
    reader = _Reader(year)
    head = text.lstrip("\ufeff \t\r\n")
    if head[:15].upper() == "BEGIN:VCALENDAR":
        reader.form = "ics"
        reader.read_ics(text)
    elif CSV_LINE.match(head) or CSV_HEAD.match(head):
        reader.form = "csv"
        reader.read_csv(text)
    else:
        reader.read_text(text)
    return reader.reading()


@dataclass
class _Section:
    name: str
    off: list[date] = field(default_factory=list)
    worked: int = 0


def statutory_days(year: int) -> frozenset[date]:
    """The days that the law itself makes a holiday in ``year``: those are never days in lieu."""
    if not 1 <= year <= 9999:
        return frozenset()
    held = provisional_year(year)
    first = date(year, 1, 1)
    lawful = {*FESTIVALS, "除夕"}
    pairs = enumerate(zip(held.kinds, held.names, strict=True))
    return frozenset(first + timedelta(days=index) for index, (kind, name) in pairs if kind == STATUTORY and name in lawful)


class _Reader:
    def __init__(self, year: int | None) -> None:
        self.form = "text"
        self.asked = year
        self.year = year
        self.notice = ""
        self.days: dict[date, DayEntry] = {}
        self.contradicted: set[date] = set()
        self.findings: list[Finding] = []
        self.line = 0
        self.sections: list[_Section] = []

    def finding(self, severity: str, msgid: str, line: int | None = None, **params: object) -> None:
        self.findings.append(Finding(self.line if line is None else line, severity, T(msgid, **params)))

    def add(self, day: date, kind: str, name: str) -> None:
        known = self.days.get(day)
        if known is None:
            if len(self.days) < MAX_DAYS:
                self.days[day] = DayEntry(day, kind, name[:100], self.line)
            return
        off = {STATUTORY, IN_LIEU, CLOSED, WEEKEND}
        if (known.kind in off) != (kind in off):
            self.contradicted.add(day)
            self.finding(ERROR, "%(day)s is a day off in line %(first)d and a working day in line %(second)d.", day=day.isoformat(),
                      first=min(known.line, self.line) if known.kind in off else self.line,
                      second=self.line if known.kind in off else known.line)  # fmt: skip
        else:
            self.finding(
                WARNING,
                "%(day)s is named twice, in line %(first)d and in line %(second)d.",
                day=day.isoformat(),
                first=known.line,
                second=self.line,
            )

    def reading(self) -> Reading:
        if not self.days and not any(each.severity == ERROR for each in self.findings):
            self.line = 0
            self.finding(ERROR, "No day off and no working day was found in the text.")
        for entry in list(self.days.values()):
            self.line = entry.line
            if entry.kind == MAKEUP and entry.day.weekday() < 5:
                self.finding(WARNING, "%(day)s is a weekday and worked anyway.", day=entry.day.isoformat())
            near = self.year is None or self.year - 1 <= entry.day.year <= self.year + 1
            if not near or not 2000 <= entry.day.year <= 2100:
                self.finding(ERROR, "%(day)s does not belong to %(year)s.", day=entry.day.isoformat(), year=self.year or "2000–2100")
            elif self.year is not None and entry.day.year != self.year and entry.day.month not in (1, 12):
                self.finding(ERROR, "%(day)s does not belong to %(year)s.", day=entry.day.isoformat(), year=self.year)
        if self.asked is not None and self.year is not None and self.asked != self.year:
            self.finding(ERROR, "The notice is about %(said)s, not about %(year)s.", line=0, said=self.year, year=self.asked)
        days = tuple(self.days[day] for day in sorted(self.days))
        return Reading(self.form, days, tuple(sorted(self.findings, key=lambda each: each.line)[:MAX_FINDINGS]), self.year, self.notice)

    # -- the text of a notice ---------------------------------------------------------------------------------------------

    def read_text(self, text: str) -> None:
        lines = [plain(line) for line in text.splitlines()]
        whole = "\n".join(lines)
        number = NOTICE_NO.search(whole)
        self.notice = number.group() if number else ""
        title = TITLE_YEAR.search(whole)
        if title:
            self.year = int(title.group(1))
        elif self.year is None and (first := re.search(r"(\d{4})年", whole)):
            self.year = int(first.group(1))
        if self.year is None or not 2000 <= self.year <= 2100:
            self.line = 0
            self.finding(ERROR, "The text does not say which year it is about; choose the year.")
            return
        section = _Section("")
        self.sections.append(section)
        for self.line, line in enumerate(lines, start=1):
            section = self._line(line.strip(), section)
        self._kinds_of_days_off()
        known = {festival for each in self.sections for festival in FESTIVALS if each.off and festival[:2] in each.name}
        if len(known) >= 3:
            self.line = 0
            for festival in FESTIVALS:
                if festival not in known:
                    self.finding(WARNING, "The notice names no days for %(festival)s.", festival=festival)

    def _line(self, line: str, section: _Section) -> _Section:
        # Several sections may stand in one line when the text was copied from a web page.
        position = 0
        for heading in HEADING.finditer(line):
            name = (heading.group(1) or heading.group(2) or "").strip()
            if heading.group(1) is None and not any(festival[:2] in name for festival in FESTIVALS):
                continue
            self._sentences(line[position : heading.start()], section)
            section = _Section(name)
            self.sections.append(section)
            position = heading.end()
        self._sentences(line[position:], section)
        return section

    def _sentences(self, text: str, section: _Section) -> None:
        for sentence in re.split(r"[。;!]", text):
            sentence = NOTICE_NO.sub("", sentence).strip()
            if not sentence or SIGNATURE.fullmatch(sentence):
                continue
            if ADVICE.search(sentence):
                self.finding(NOTE, "This is advice, not an arrangement; it was left out: %(text)s", text=sentence[:60])
                continue
            if DATE.search(sentence):
                self._arrangement(sentence, section)
            elif section.name and KEYWORD.search(sentence) and re.search(r"\d", sentence):
                self.finding(WARNING, "This was not understood and left out: %(text)s", text=sentence[:60])

    def _arrangement(self, sentence: str, section: _Section) -> None:
        default = self.year or 0
        position, used = 0, False
        found_days: list[date] = []
        # Dates in brackets explain others (“除夕(2月9日)”); only the ones outside count, and their weekday stands in the bracket after them.
        for keyword in KEYWORD.finditer(sentence):
            part = sentence[position : keyword.start()]
            if part.endswith("不"):  # 不调休
                continue
            days = self._dates(part, section, default)
            position = keyword.end()
            if days is None:
                used = True
                continue
            if not days:
                continue
            used, found_days = True, days
            meaning = meaning_of(keyword.group())
            if re.search(r"延长|提前|推迟|顺延", part):
                self.finding(WARNING, "This was not understood and left out: %(text)s", text=sentence[:60])
                continue
            if meaning == ORDINARY and all(day.weekday() < 5 for day in days):
                continue
            for day in days:
                if meaning in (WORKED, ORDINARY):
                    self.add(day, MAKEUP, section.name)
                    section.worked += 1
                else:
                    self.add(day, meaning, section.name)
                    if meaning == STATUTORY:
                        section.off.append(day)
            if meaning == STATUTORY and (count := COUNT.search(sentence, keyword.start())) and int(count.group(1)) != len(days):
                self.finding(WARNING, "The line says %(said)d day(s), but names %(counted)d.", said=int(count.group(1)), counted=len(days))
        rest = DATE.search(re.sub(r"\([^()]*\)", "", sentence[position:]))
        if not used or (rest and not found_days):
            self.finding(WARNING, "This was not understood and left out: %(text)s", text=sentence[:60])
        elif rest:
            self.finding(WARNING, "This was not understood and left out: %(text)s", text=sentence[position:][:60])

    def _dates(self, part: str, section: _Section, default: int) -> list[date] | None:
        """The days a part of a sentence names; ``None`` when one of them cannot exist (a finding says so)."""
        days: list[date] = []
        year, month, last, last_end = default, None, None, 0
        for found in DATE.finditer(part):
            if part[: found.start()].count("(") > part[: found.start()].count(")"):
                continue
            if found.group(1):
                year = int(found.group(1))
            named = int(found.group(2)) if found.group(2) else month
            ranged = last is not None and RANGE_MARK.search(part[last_end : found.start()]) is not None
            if named is None:
                self.finding(ERROR, "A date without a month: %(text)s", text=found.group())
                return None
            if not found.group(1):
                if last is None and named == 12 and section.name[:2] == "元旦":
                    year = default - 1
                elif last is not None and named < (month or 0):
                    year = last.year + 1 if (month or 0) == 12 else year
            month = named
            try:
                day = date(year, month, int(found.group(3)))
            except ValueError:
                self.finding(ERROR, "There is no such day: %(text)s", text=found.group())
                return None
            weekday = WEEKDAY.search(found.group(4) or "")
            if weekday and WEEKDAYS.index(weekday.group(1).replace("天", "日")) != day.weekday():
                self.finding(
                    WARNING, "%(day)s is a %(right)s, but the line says %(said)s.", day=day.isoformat(), right=weekday_words(day.weekday()),
                    said=weekday_words(WEEKDAYS.index(weekday.group(1).replace("天", "日"))),
                )  # fmt: skip
            if ranged:
                length = (day - last).days
                if not 0 < length < LONGEST_HOLIDAY:
                    self.finding(ERROR, "From %(first)s to %(last)s is not a holiday.", first=last.isoformat(), last=day.isoformat())
                    return None
                days += [last + timedelta(days=offset) for offset in range(1, length + 1)]
            else:
                days.append(day)
            last, last_end = day, found.end()
        return days

    def _kinds_of_days_off(self) -> None:
        """As many of the last weekdays off as are worked instead are days in lieu; the rest is the holiday itself (and its weekend)."""
        for section in self.sections:
            lawful = frozenset().union(*(statutory_days(year) for year in {day.year for day in section.off}))
            weekdays = [day for day in sorted(set(section.off)) if day.weekday() < 5 and day not in lawful]
            for day in weekdays[-section.worked :] if section.worked else ():
                entry = self.days.get(day)
                if entry is not None and entry.kind == STATUTORY:
                    self.days[day] = DayEntry(day, IN_LIEU, entry.name, entry.line)

    # -- tables and calendars -----------------------------------------------------------------------------------------------

    def read_csv(self, text: str) -> None:
        head = text.lstrip("\ufeff \t\r\n")
        first = head.split("\n", 1)[0]
        delimiter = next((each for each in ",\t;" if each in first), ",")
        try:
            # A bare carriage return or a NUL is refused by the csv module in an exception; neither means anything here.
            clean = text.lstrip("\ufeff").replace("\r\n", "\n").replace("\r", "\n").replace("\0", "")
            for self.line, row in enumerate(csv.reader(io.StringIO(clean), delimiter=delimiter), start=1):
                cells = [unicodedata.normalize("NFKC", cell).strip() for cell in row]
                if not any(cells) or (self.line == 1 and CSV_HEAD.match(f"{cells[0]},")):
                    continue
                self._csv_row(cells)
        except csv.Error as refusal:
            self.finding(ERROR, "This is not a table: %(why)s", why=str(refusal))

    def _csv_row(self, cells: list[str]) -> None:
        day = day_of(cells[0])
        if day is None:
            self.finding(ERROR, "There is no such day: %(text)s", text=cells[0][:40])
            return
        kind = CSV_KINDS.get(cells[1].lower()) if len(cells) > 1 else None
        if kind is None:
            self.finding(ERROR, "“%(kind)s” is not a kind of day.", kind=cells[1][:40] if len(cells) > 1 else "")
            return
        self.add(day, kind, cells[2] if len(cells) > 2 else "")

    def read_ics(self, text: str) -> None:
        event: dict[str, str] | None = None
        begun = 0
        for number, line in unfolded(text):
            self.line = number
            name, _, value = line.partition(":")
            name = name.split(";")[0].strip().upper()
            if (name, value.strip().upper()) == ("BEGIN", "VEVENT"):
                event, begun = {}, number
            elif (name, value.strip().upper()) == ("END", "VEVENT") and event is not None:
                self.line = begun
                self._event(event)
                event = None
            elif event is not None:
                event.setdefault(name, value)
        if event is not None:
            self.finding(ERROR, "The last entry of the calendar is cut off.", line=begun)

    def _event(self, event: dict[str, str]) -> None:
        first = day_of(event.get("DTSTART", "")[:8])
        if first is None:
            self.finding(ERROR, "There is no such day: %(text)s", text=event.get("DTSTART", "")[:40])
            return
        summary = unicodedata.normalize("NFKC", event.get("SUMMARY", "").replace("\\,", ",").replace("\\;", ";")).strip()
        special = event.get("X-APPLE-SPECIAL-DAY", "").strip().upper()
        if special == "ALTERNATE-WORKDAY" or re.search(r"班", summary):
            kind = MAKEUP
        elif re.search(r"停办|停止办公", summary):
            kind = CLOSED
        elif special == "WORK-HOLIDAY" or re.search(r"休|放假|假期", summary):
            kind = IN_LIEU if "调休" in summary else STATUTORY
        else:
            self.finding(NOTE, "This entry says neither 休 nor 班 and was left out: %(text)s", text=summary[:60])
            return
        end = day_of(event.get("DTEND", "")[:8])
        length = (end - first).days if end is not None else duration(event.get("DURATION", ""))
        if not 0 < length <= LONGEST_HOLIDAY or first.toordinal() + length > date.max.toordinal():
            self.finding(ERROR, "The entry of %(day)s does not end after it begins, or lasts more than a month.", day=first.isoformat())
            return
        name = re.sub(r"[(\[]?\s*(?:调休上班|本局停办|停止办公|停办|补班|上班|调休|放假|假期|休|班)\s*[)\]]?", "", summary).strip(" -:·")
        for offset in range(length):
            self.add(first + timedelta(days=offset), kind, name)
