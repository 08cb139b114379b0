"""The Chinese catalogue: every sentence of the sources has good Chinese, with the same places to fill in."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog
from babel.messages.extract import DEFAULT_KEYWORDS, extract_from_dir
from babel.messages.pofile import read_po

from engine import errors
from web.i18n import LOCALES

ROOT = Path(__file__).resolve().parents[2]
METHODS = [("**.py", "python"), ("**/templates/**.html", "jinja2")]
OPTIONS = {"**/templates/**.html": {"trimmed": "true"}}
# An error is often made from its sentence directly: NotFound("There is no …").
ERRORS = [name for name, value in vars(errors).items() if isinstance(value, type) and issubclass(value, errors.EngineError)]
# FEEL notes why something is null: runtime.null("There is no variable %(name)s.", …), fail(runtime, "…").
FIRST = ("T", "CannotServe", "AccessRefused", "FeelError", "JobFailed", "LimitExceeded", "null", "nothing", *ERRORS)
KEYWORDS = {**DEFAULT_KEYWORDS, **dict.fromkeys(FIRST), "fail": (2,), "finding": (2,)}


@pytest.fixture(scope="module")
def sentences() -> dict[str, tuple[str, ...]]:
    """Sentence of the sources → its English forms (two for a plural)."""
    found = Catalog()
    for folder in ("engine", "web"):
        skipped = lambda path: Path(path).name not in ("node_modules", "static", "assets", "locale", "__pycache__")  # noqa: E731
        for file, line, message, _comments, context in extract_from_dir(
            str(ROOT / folder), METHODS, OPTIONS, keywords=KEYWORDS, directory_filter=skipped
        ):
            found.add(message, locations=[(f"{folder}/{file}", line)], context=context)
    return {forms[0]: forms for forms in (each.id if isinstance(each.id, tuple) else (each.id,) for each in found if each.id)}


@pytest.fixture(scope="module")
def chinese() -> dict[str, str]:
    with (LOCALES / "zh" / "LC_MESSAGES" / "messages.po").open("rb") as file:
        catalogue = read_po(file, locale="zh")
    assert not [each.id for each in catalogue if each.fuzzy and each.id], "no guesses in the catalogue"
    return {
        (each.id[0] if isinstance(each.id, tuple) else each.id): (each.string[0] if isinstance(each.string, tuple) else each.string)
        for each in catalogue
        if each.id
    }


def places(text: str) -> set[str]:
    """The names of ``%(name)s`` places; a per cent sign outside of them must be doubled where there is any place at all."""
    return set(re.findall(r"%\((\w+)\)", text))


def test_every_sentence_has_chinese(sentences, chinese):
    missing = sorted(key for key in sentences if not chinese.get(key))
    assert not missing, f"{len(missing)} sentences have no Chinese:\n" + "\n".join(map(repr, missing))


def test_nothing_is_left_in_the_catalogue_that_no_source_says(sentences, chinese):
    assert sorted(set(chinese) - set(sentences)) == []


def test_places_to_fill_in_agree(sentences, chinese):
    wrong = [key for key, forms in sentences.items() if key in chinese and places(chinese[key]) != set().union(*map(places, forms))]
    assert wrong == []


def test_every_chinese_sentence_can_be_filled_in(sentences, chinese):
    class Anything(dict):
        def __missing__(self, name):
            return 7

    for key, text in chinese.items():
        if places(text):
            assert text % Anything(), key
        assert "{}" not in text or "{}" in key


def test_chinese_sentences_speak_chinese(chinese):
    """Letters without any Chinese character are allowed only where the English has no words to translate either."""
    plain = [key for key, text in chinese.items() if not re.search(r"[\u3000-\u9fff\uff00-\uffef]", text) and re.search(r"[a-z]{2}", re.sub(r"%\(\w+\)0?\d*[sd]", "", key))]
    assert plain == []


def test_the_english_catalogue_is_the_identity():
    with (LOCALES / "en" / "LC_MESSAGES" / "messages.po").open("rb") as file:
        assert [each.id for each in read_po(file, locale="en") if each.id and each.string and each.string != each.id] == []

