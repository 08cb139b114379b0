"""What a procedure's case-number rule and its code may be (``domain.md`` §5 item 5).

Both are text of a designer.  A number stands in columns, on paper and in the register's unique index, so its length is bounded before
anything is formatted: a width of nine digits in a rule would otherwise make a text of gigabytes at every check.
"""

from __future__ import annotations

import re
import string

from engine.words import T, Words

NUMBER_PARTS = ("region", "code", "date", "serial")
DEFAULT_NUMBER = "{region}-{code}-{date}-{serial:04d}"
NUMBER_LIMIT = 60
"""Characters of a case number at most, as its column has it."""
CODE_LIMIT = 10
_CODE = re.compile(r"[^\W_](?:[^\W_]|-)*\Z")
_SERIAL = re.compile(r"(?:0[1-8])?d?\Z")
_PART = re.compile(r"(?:\.\d{1,2})?\Z")
# The widest that the parts become: serials of eight digits are more cases a day than any office has.
_WIDEST = {"region": "411600", "date": "20261231", "serial": 99_999_999}


def refusal_of_code(code: str) -> Words | None:
    """Why ``code`` cannot stand in case numbers, or ``None``."""
    if len(code) <= CODE_LIMIT and _CODE.match(code):
        return None
    return T("“%(where)s” stands in every case number: letters and digits only, at most %(most)d, such as TS.", where="code", most=CODE_LIMIT)


def refusal_of_rule(rule: str, code: str) -> Words | None:
    """Why ``rule`` cannot make case numbers with ``code``, or ``None``; a code that is itself refused counts with its longest length."""
    if len(rule) > 2 * NUMBER_LIMIT:
        return _too_long()
    try:
        parts = [(name, spec or "", conversion) for _, name, spec, conversion in string.Formatter().parse(rule) if name is not None]
    except ValueError as error:
        return T("The case number rule cannot be read: %(reason)s.", reason=str(error))
    unknown = sorted({name for name, _, _ in parts} - set(NUMBER_PARTS))
    if unknown:
        return T("“%(part)s” is not a part of a case number. Use: region, code, date, serial.", part=unknown[0])
    if [name for name, _, _ in parts].count("serial") != 1:
        return T("A case number needs the part {serial} exactly once, or two cases get the same number.")
    for name, spec, conversion in parts:
        if name == "serial" and (conversion or not _SERIAL.match(spec)):
            return T("The serial can be filled up to at most 8 digits. Write {serial:04d} for 0001, or {serial} for 1.")
        if name != "serial" and (conversion or not _PART.match(spec)):
            return T("The part {%(part)s} has a form that case numbers do not know. Write {%(part)s}, or {%(part)s:.4} for its first four characters.", part=name)
    if not rule.isprintable():
        return T("The case number rule holds a line break or another invisible character. Write it anew.")
    if len(rule.format(code=code if refusal_of_code(code) is None else "X" * CODE_LIMIT, **_WIDEST)) > NUMBER_LIMIT:
        return _too_long()
    return None


def _too_long() -> Words:
    return T("The case numbers would be longer than %(most)d characters. Shorten the rule.", most=NUMBER_LIMIT)
