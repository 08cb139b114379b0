"""The designers' guide as a page: what Markdown says, and nothing that acts."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from babel.messages.pofile import read_po

from tests.web.rooms import app, browse, clock, engine  # noqa: F401  fixtures
from web.designer import guide

BUILD = Path(__file__).resolve().parents[2] / "web" / "static" / "build"


def shown(text: str) -> str:
    return str(guide.html(text, lambda name: f"/pictures/{name}"))


def test_headings_carry_their_anchors_and_make_the_contents():
    text = "# 指南\n\n## 时限 {#limits}\n\n文字\n\n### 更细 {#more}\n"
    assert '<h2 id="limits">时限</h2>' in shown(text) and '<h3 id="more">更细</h3>' in shown(text)
    assert guide.headings(text) == [guide.Heading("时限", "limits")]


def test_tables_lists_and_pictures_are_shown():
    assert "<td>1</td>" in shown("| a | b |\n|---|---|\n| 1 | 2 |\n") and "<ol>" in shown("1. 一\n2. 二\n")
    assert 'src="/pictures/designer-new.png"' in shown("![新建](images/designer-new.png)")


def test_nothing_in_the_guide_acts():
    text = '<script>alert(1)</script>\n\n[x](javascript:alert(1)) ![y](https://example.org/p.png)\n\n## 坏 {#a"onclick=x}\n'
    page = shown(text)
    assert "<script" not in page and 'href="javascript' not in page and "example.org" not in page and 'onclick="' not in page


def test_every_picture_of_the_guide_is_there_and_every_link_leads_somewhere(browse):
    text = guide.GUIDE.read_text("utf-8")
    names = guide.PICTURE.findall(text)
    assert names and all((guide.DOCS / "images" / name).is_file() for name in names)
    client = browse("designer")
    page = client.get("/designer/help").get_data(as_text=True)
    assert all(f'id="{anchor}"' in page for anchor in re.findall(r'href="#([\w.-]+)"', page) if anchor != "content")
    with client.get(f"/designer/help/pictures/{names[0]}") as answer:
        assert answer.mimetype == "image/png"
    assert client.get("/designer/help/pictures/..%2Fsecret.png").status_code == 404


ASSETS = Path("web/assets")
SAMPLE = {
    "请假审批", "科室负责人审批", "判断审批层级", "审批层级", "请假天数", "请假审批：登记", "局领导审批", "请假审批：办理", "科室批准，办结", "分管局领导", "科室负责人",
}  # fmt: skip
"""Names that the reader gives to what they draw, and roles of the demonstration."""
EXAMPLES = re.compile(r"年休假|探亲|第 3 步")


def test_what_stands_in_quotation_marks_in_the_guide_stands_on_a_page():
    """Who follows the guide looks for these very words on buttons and fields."""
    words = {text for file in (ASSETS / "i18n").glob("*.json") for text in json.loads(file.read_text("utf-8")).values()}
    with Path("web/locale/zh/LC_MESSAGES/messages.po").open("rb") as file:
        words |= {text for each in read_po(file) for text in (each.string if isinstance(each.string, tuple) else (each.string,))}
    plain = {re.sub(r"%\(\w+\)[sd]|\{\w+\}", "", text) for text in words}
    asked = {re.sub(r"^\d ", "", text) for text in re.findall("“([^”]+)”", guide.GUIDE.read_text("utf-8"))}
    unknown = {text for text in asked - words - SAMPLE if re.sub(r"\d+", "", text) not in plain and not EXAMPLES.search(text)}
    assert unknown == set()


def test_the_guide_has_every_chapter_that_the_editor_leads_to():
    anchors = set(re.findall(r"\{#([\w.-]+)\}", guide.GUIDE.read_text("utf-8")))
    chapters = re.search(r"CHAPTERS = \{(.*?)\}", (ASSETS / "designer/panel/guide.js").read_text("utf-8"), re.S)
    assert chapters is not None
    wanted = set(re.findall(r": '(\w+)'", chapters[1]))
    wanted |= set(re.findall(r"officeGuide\('(\w+)'\)", (ASSETS / "literals.json").read_text("utf-8")))
    assert wanted and wanted <= anchors


# make test and .ci/run build the browser's files first; whoever runs this file alone may not have.
@pytest.mark.skipif(not (BUILD / "manifest.json").exists(), reason="the browser's files are not built; “make assets” builds them")
def test_no_link_of_the_editors_leads_out_of_the_office_but_the_mark_of_the_drawing_tool():
    links = {link for file in BUILD.glob("*.js") for link in re.findall(r'href[:=]\s*\\?"(https?://[^"\\]+)', file.read_text("utf-8"))}
    assert {re.match(r"https?://([^/]+)", link)[1] for link in links} == {"bpmn.io"}, "the mark is found, so a link would be, too"
