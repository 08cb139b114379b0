"""Regular expressions after XPath."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.feel import evaluate
from engine.feel.regex import compile_pattern


def matches(subject, pattern, flags=""):
    return evaluate("matches(s, p, f)", {"s": subject, "p": pattern, "f": flags})


@pytest.mark.parametrize(
    ("subject", "pattern", "flags", "expected"),
    [
        ("13800138000", r"^1[3-9]\d{9}$", "", True),
        ("91110000100000000X", r"^[0-9A-HJ-NPQRTUWXY]{2}\d{6}[0-9A-HJ-NPQRTUWXY]{10}$", "", True),
        ("湘科〔2026〕12号", r"^\p{IsCJKUnifiedIdeographs}+〔\d{4}〕\d+号$", "", True),
        ("a.b@example.cn", r"^[\w.+-]+@[\w-]+(\.[\w-]+)+$", "", True),
        ("v1.2.3", r"^v\d+(\.\d+)*$", "", True),
        ("abc\n", "c$", "", False),
        ("a\nb", "a.b", "", False),
        ("a\nb", "a.b", "s", True),
        ("a.b", "a.b", "q", True),
        ("axb", "a.b", "q", False),
        ("aba", r"^(a)b\1$", "", True),
        ("x", "[A-Z-[OI]]", "i", True),
        ("é", r"\p{L}", "", True),
        ("abab", "(?:ab){2}", "", True),
        ("", "^$", "", True),
        ("a", "(", "", None),
        ("a", "a{2", "", None),
        ("a", "a**", "", None),
        ("a", "[b-a]", "", None),
        ("a", r"\q", "", None),
        ("a", "a", "z", None),
        ("a", "(?=a)", "", None),
    ],
)
def test_matches(subject, pattern, flags, expected):
    assert matches(subject, pattern, flags) is expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('replace("abcd", "(ab)|(a)", "[1=$1][2=$2]")', "[1=ab][2=]cd"),
        ('replace("2026-11-23", "(\\d+)-(\\d+)-(\\d+)", "$1年$2月$3日")', "2026年11月23日"),
        ('replace("a.b", ".", "-", "q")', "a-b"),
        ('replace("abc", "x*", "-")', None),
        ('replace("abc", "b", "$")', None),
        ('replace("abc", "b", "\\$")', "a$c"),
        ('split("a；b;c", "[；;]")', ["a", "b", "c"]),
        ('extract("第3条第12条", "\\d+")', ["3", "12"]),
    ],
)
def test_replace_split_and_extract(text, expected):
    assert evaluate(text) == expected


_ATOMS = st.sampled_from(["a", "b", ".", "[ab]", "[^a]", "(a|b)", "(ab)", r"\d"])
_QUANTIFIERS = st.sampled_from(["", "*", "+", "?", "{2}", "{1,3}", "*?", "+?"])
_PATTERNS = st.lists(st.tuples(_ATOMS, _QUANTIFIERS).map("".join), min_size=1, max_size=4).map("".join)


@given(_PATTERNS, st.text(alphabet="ab1", max_size=10))
def test_the_first_match_is_the_one_that_python_finds(pattern, subject):
    ours = compile_pattern(pattern).search(subject)
    theirs = re.search(pattern, subject)
    assert (ours[:2] if ours else None) == (list(theirs.span()) if theirs else None)
