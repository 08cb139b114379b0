"""Characters and numbers that no database keeps: told apart at the door, on every page."""

from __future__ import annotations

import pytest

from tests.web.rooms import app, browse, clock, engine, open_case  # noqa: F401  fixtures
from web.requests import keepable, number


@pytest.mark.parametrize(
    ("sent", "kept"),
    [("一\x00二", "一二"), ("上行\x0b下行", "上行\n下行"), ("a\x0c\x1f\ufffeb", "ab"), ("\ud800", ""), ("制表\t换行\r\n", "制表\t换行\r\n"), ("表情😀", "表情😀")],
)
def test_a_text_loses_only_what_cannot_be_kept(sent, kept):
    assert keepable(sent) == kept


def test_forms_and_addresses_reach_the_views_clean(app, browse):
    seen = []

    @app.before_request
    def look():
        from flask import request

        seen.append((request.args.to_dict(flat=False), request.form.to_dict(flat=False)))

    browse("du").post("/supervision/act?x=a%00b&x=c", data={"text": "理由\x00\x0b二", "case": "1"})
    assert seen[-1] == ({"x": ["ab", "c"]}, {"text": ["理由\n二"], "case": ["1"]})


@pytest.mark.parametrize("path", ["/case/{}", "/bulletins/{}", "/cards/{}", "/assessment/{}", "/supervision/{}", "/designer/drafts/{}", "/case/{}/clocks/pause"])
@pytest.mark.parametrize("number", [2**63 - 1, 2**63, 10**30, int("9" * 300)])
def test_a_number_that_is_no_key_is_not_found(browse, path, number):
    login = "designer" if "designer" in path else "du"
    assert browse(login).get(path.format(number)).status_code == 404


@pytest.mark.parametrize("path", ["/designer/procedures/a%00b", "/designer/procedures/%0b/export.zip", "/supervision/section/%00"])
def test_a_name_that_cannot_be_kept_is_not_found(browse, path):
    assert browse("designer" if "designer" in path else "du").get(path).status_code == 404


@pytest.mark.parametrize(("text", "found"), [("7", 7), ("0", 0), (str(2**63 - 1), 2**63 - 1), (str(2**63), None), ("9" * 5000, None), ("٣", None), ("-1", None), ("", None), (None, None)])
def test_a_number_of_a_form_is_one_that_a_row_can_have(text, found):
    assert number(text) == found
