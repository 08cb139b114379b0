"""Languages of the interface: which one a request speaks, and where its sentences come from.

Message ids are English sentences.  The catalogues are ``locale/LANGUAGE/LC_MESSAGES/messages.po``; they are read as they are, so
that a new sentence needs no compilation step to be seen.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from io import BytesIO
from pathlib import Path

from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.support import Translations
from flask import Flask, g, request, session
from flask_babel import Babel, Domain, get_locale, gettext

from engine.words import Words, translate

LANGUAGES: dict[str, str] = {"zh": "中文", "en": "English"}
"""Language code → its own name.  The first is the default."""

DEFAULT_LANGUAGE = "zh"
LOCALES = Path(__file__).parent / "locale"


def choose_language() -> str:
    """The language of this request: chosen in this session, else the person's, else the browser's, else Chinese."""
    chosen = session.get("language") or (g.person.language if getattr(g, "person", None) else None)
    if chosen in LANGUAGES:
        return chosen
    # Browsers send "en" as a fall-back almost always: English is taken only by those that do not read Chinese at all.
    return request.accept_languages.best_match(list(LANGUAGES), DEFAULT_LANGUAGE)


def catalogue_file(language: str) -> Path:
    """The ``.po`` file of ``language``."""
    return LOCALES / language / "LC_MESSAGES" / "messages.po"


class Catalogues(Domain):
    """The translations of each language, read from the ``.po`` files on first use."""

    def get_translations(self) -> Translations:
        locale = get_locale()
        language = locale.language if locale else DEFAULT_LANGUAGE
        if language not in self.cache:
            self.cache[language] = read_catalogues(language)
        return self.cache[language]


def read_catalogues(language: str) -> Translations:
    """All sentences of ``language``; without a file, the English message ids speak."""
    file = catalogue_file(language)
    if not file.exists():
        return Translations()
    compiled = BytesIO()
    with file.open("rb") as source:
        write_mo(compiled, read_po(source, locale=language))
    compiled.seek(0)
    return Translations(compiled)


@lru_cache(maxsize=len(LANGUAGES))
def gettext_of(language: str) -> Callable[[str], str]:
    """The gettext of ``language`` outside a request, for messages that leave the house; Chinese for a language that is not there."""
    return read_catalogues(language if language in LANGUAGES else DEFAULT_LANGUAGE).ugettext


def say(text: str) -> str:
    """``text`` in the language of the request: :class:`~engine.words.Words` are translated with their parameters."""
    return translate(text, lambda msgid: gettext(msgid)) if isinstance(text, Words) else str(text)


def is_chinese() -> bool:
    """Whether the page speaks Chinese (dates and lists are written differently)."""
    locale = get_locale()
    return locale is None or locale.language == "zh"


def init_languages(app: Flask) -> None:
    """Connect the selector and the catalogues with ``app``."""
    babel = Babel(app, default_locale=DEFAULT_LANGUAGE, default_timezone="Asia/Shanghai", locale_selector=choose_language)
    babel.domain_instance = Catalogues()
