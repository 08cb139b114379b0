"""The designers' guide as a page: what Markdown says, and nothing that acts."""

from __future__ import annotations

import re

from tests.web.rooms import app, browse, clock, engine  # noqa: F401  fixtures
from web.designer import guide


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
