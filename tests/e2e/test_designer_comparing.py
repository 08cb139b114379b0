"""Two states of a process beside each other in Chromium: what differs is named, and only that."""

from __future__ import annotations

import re

from playwright.sync_api import Page, expect

from engine import Engine
from engine.runtime.design import drafts
from tests.support.browser import Desk
from tests.support.drafting import DESIGNER
from tests.support.server import RunningServer

FILE = "complaint.bpmn"


def compared(desk: Desk, server: RunningServer, change) -> Page:
    """The comparison of a draft, whose drawing ``change`` has rewritten, with the version in use."""
    engine = Engine(server.database)
    try:
        draft = drafts.branch(engine.desk, "complaint", by=DESIGNER)
        drafts.save(engine.desk, draft.key, {FILE: change(draft.files[FILE])}, revision=draft.revision, by=DESIGNER)
    finally:
        engine.dispose()
    page = desk.person(DESIGNER).go(f"/designer/drafts/{draft.key}/compare")
    expect(page.locator("[data-design-diff-list] li").first).to_be_visible()
    return page


def test_a_renamed_step_is_changed_from_and_to_and_not_moved(desk: Desk, server: RunningServer):
    def renamed(text: str) -> str:
        # An editor also writes a label without a place of its own to the shape: that is no move.
        text = re.sub(r'(<bpmndi:BPMNShape [^>]*bpmnElement="accept_review"[^>]*>\s*<dc:Bounds [^>]*/>)', r"\1<bpmndi:BPMNLabel />", text)
        assert "<bpmndi:BPMNLabel />" in text
        return text.replace('name="受理审查"', 'name="受理初审"')

    found = compared(desk, server, renamed).locator("[data-design-diff-list] li")

    expect(found).to_have_text(["修改：受理初审（名称：受理审查 → 受理初审）"])


def test_a_step_at_another_place_is_moved_and_not_changed(desk: Desk, server: RunningServer):
    def moved(text: str) -> str:
        return re.sub(r'(bpmnElement="accept_review"[^>]*>\s*<dc:Bounds x=")[^"]+(")', r"\g<1>9\2", text)

    expect(compared(desk, server, moved).locator("[data-design-diff-list] li")).to_have_text(["移动：受理审查"])


def test_other_people_for_a_step_are_named_as_the_panel_names_them(desk: Desk, server: RunningServer):
    def others(text: str) -> str:
        step = text.index('id="accept_review"')
        return text[:step] + re.sub(r'candidateGroups="[^"]*"', 'candidateGroups="director"', text[step:], count=1)

    expect(compared(desk, server, others).locator("[data-design-diff-list] li")).to_have_text(["修改：受理审查（办理人）"])
