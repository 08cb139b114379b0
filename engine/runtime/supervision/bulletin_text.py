"""The text of a draft of a bulletin 通报批评, written from the facts of a case in the Chinese of an office.

The document is Chinese whatever language its reader has chosen for the pages.  It names the case by number and procedure only: title
and applicant of a case may be confidential, and a bulletin is read by everybody.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

_TEXT = """{section}：
　　经督办核查，你{unit}承办的“{procedure}”办件（编号{case_no}），“{limit}”时限应于{due}前完成。截至{today}，该事项已超期{days}个工作日，{state}。
{told}　　上述情况违反限时办结要求，影响服务对象办事。现对{section}{person}予以通报批评。
　　请自本通报印发之日起{mend}个工作日内办结该事项，并书面报送整改情况。各科室要引以为戒，严格落实时限要求，确有困难的应当在到期前说明理由、按规定申请延期。"""
_LONG_LATE = 10
"""Working days after which more than reminding was asked of the section; it gets fewer days to mend it [D]."""


def chinese_day(day: date) -> str:
    """``2026年11月23日``."""
    return f"{day.year}年{day.month}月{day.day}日"


def draft(facts: Mapping[str, Any]) -> tuple[str, str]:
    """Title and text of the draft.

    ``facts``: ``section`` and ``person`` by name (``person`` may be empty), ``county`` whether the section is a county's, ``case_no``,
    ``procedure``, ``limit``, ``due`` and ``today`` (ISO days), ``days`` overdue in working days, ``explained``, and ``rungs``, a list of
    ``{day, label, people}``.
    """
    section = facts["section"] or "承办单位"
    lines = [
        f"　　{number}．{chinese_day(date.fromisoformat(rung['day']))}，{rung['label']}{'，告知' + rung['people'] if rung['people'] else ''}；"
        for number, rung in enumerate(facts["rungs"], 1)
    ]
    told = ""
    if lines:
        lines[-1] = lines[-1].removesuffix("；") + "。"
        told = f"　　时限临近和超期后，已{len(lines)}次提醒、催办：\n" + "\n".join(lines) + "\n"
    text = _TEXT.format(
        section=section, unit="单位" if facts.get("county") else "科室", procedure=facts["procedure"], case_no=facts["case_no"], limit=facts["limit"],
        due=chinese_day(date.fromisoformat(facts["due"])), today=chinese_day(date.fromisoformat(facts["today"])), days=facts["days"],
        state="虽已说明理由，但仍未办结" if facts.get("explained") else "既未办结，也未说明理由", told=told,
        person=f"（承办人：{facts['person']}）" if facts["person"] else "", mend=2 if facts["days"] >= _LONG_LATE else 3,
    )  # fmt: skip
    return f"关于{section}办理{facts['case_no']}超期的通报", text
