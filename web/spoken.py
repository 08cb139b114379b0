"""Sentences that the engine has stored as English text, in the reader's language.

What holds a case up is stored when it happens, and nobody knows then who will read it.  A stored sentence is recognised by the
message id it was made from; what stood in its places is taken over.  What is not recognised comes back as it is.
"""

from __future__ import annotations

import re
from functools import lru_cache

from babel.messages.pofile import read_po
from flask_babel import get_locale, gettext

from engine.words import T, Words
from web.i18n import DEFAULT_LANGUAGE, catalogue_file, say

INSTANCE_STATES: dict[str, Words] = {
    "ACTIVE": T("running"), "SUSPENDED": T("suspended"), "COMPLETED": T("completed"), "TERMINATED": T("cancelled"),
}  # fmt: skip
"""State of an instance, as the engine writes it into its sentences → what it is called."""

PLACE = re.compile(r"%\((\w+)\)[sd]")
LEAST = 10
"""A message id with fewer letters of its own fits everywhere."""
DEPTH = 4


@lru_cache(maxsize=4)
def _sentences(language: str) -> tuple[tuple[str, re.Pattern[str], str], ...]:
    """(beginning, pattern, message id) of every sentence with places, the most particular first."""
    file = catalogue_file(language)
    if not file.exists():
        return ()
    with file.open("rb") as source:
        ids = [message.id for message in read_po(source, locale=language) if isinstance(message.id, str) and "%(" in message.id]
    found = []
    for id in ids:
        parts = PLACE.split(id)
        own = "".join(parts[0::2]).replace("%%", "%")
        if len(own) < LEAST:
            continue
        seen: set[str] = set()
        text = ""
        for number, part in enumerate(parts):
            if number % 2 == 0:
                text += re.escape(part.replace("%%", "%"))
            else:
                text += f"(?P={part})" if part in seen else f"(?P<{part}>.*?)"
                seen.add(part)
        found.append((len(own), parts[0].replace("%%", "%"), re.compile(text, re.DOTALL), id))
    return tuple((start, pattern, id) for _own, start, pattern, id in sorted(found, key=lambda each: -each[0]))


def spoken(text: str | None) -> str:
    """``text`` in the language of the request."""
    locale = get_locale()
    return _spoken(locale.language if locale else DEFAULT_LANGUAGE, str(text or ""), DEPTH)


@lru_cache(maxsize=2048)
def _spoken(language: str, text: str, depth: int) -> str:
    if not text or depth == 0:
        return text
    if text.isupper() and text in INSTANCE_STATES:
        return say(INSTANCE_STATES[text])
    translated = gettext(text)
    if translated != text:
        return translated
    for start, pattern, id in _sentences(language):
        found = pattern.fullmatch(text) if text.startswith(start) else None
        if found is not None:
            return gettext(id) % {name: _spoken(language, value, depth - 1) for name, value in found.groupdict().items()}
    return text
