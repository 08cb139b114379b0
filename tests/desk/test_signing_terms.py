"""Several people on one step, as the properties panel writes it: the same texts, run by the engine with people who vote.

``web/assets/designer/panel/signing_terms.json`` is what the panel fills in; ``tests/e2e/test_designer_panel.py`` proves that it does.
"""

from __future__ import annotations

import pytest

from tests.bpmn.builder import bpmn, each, end, mapped, process, user, xor
from tests.support.signing import MODES, terms

FIVE = ["li", "zhao", "chen", "sun", "zhou"]
PEOPLE = 'people("section:nongcun")'  # sun, zhou

pytestmark = pytest.mark.parametrize("database_kind", ["sqlite"])


def model(mode: str, **choices: str) -> bytes:
    """start → everybody called votes → passed, not passed, or nobody could be asked."""
    written = terms(mode, **choices)
    step = each(
        mapped(user(assignee="=signer"), inputs={"vote": "=null"}), written["called"], "signer", results="votes",
        result=written["collected"], one_by_one=MODES[mode].get("sequential", False), until=written["ends"],
    )  # fmt: skip
    flows = f"start -> v -> g -[{written['passed'][1:]}]-> end_yes; g -[{written['unmet'][1:]}]-> end_none; g -[*]-> end_no"
    return bpmn(process("p", flows, v=step, g=xor(), end_yes=end(), end_none=end(), end_no=end()))


@pytest.fixture
def voting(engine):
    """``voting(votes, mode=…, …)``: everybody votes in the given order until no vote is asked for; who was asked, how many voted, the end."""

    def run(votes: dict[str, str], mode: str, *, variables: dict | None = None, **choices: str):
        engine.deploy({"p.bpmn": model(mode, **choices)}, by="designer")
        key = engine.start("p", variables={"members": FIVE, **(variables or {})}).key
        asked, cast = set(), 0
        for login, vote in votes.items():
            open_now = {task.assignee: task for task in engine.user_tasks() if task.instance_key == key}
            asked |= set(open_now)
            if login in open_now:
                engine.complete(open_now[login].key, {"vote": vote})
                cast += 1
        instance = engine.instance(key)
        passed = [row.element_id for row in engine.activities(key) if row.element_id.startswith("end_")]
        return asked, cast, passed[0] if passed else instance.state

    return run


def by(agree: str = "", oppose: str = "", abstain: str = "") -> dict[str, str]:
    return {
        **dict.fromkeys(oppose.split(), "oppose"), **dict.fromkeys(abstain.split(), "abstain"), **dict.fromkeys(agree.split(), "agree"),
    }  # fmt: skip


ALL = "li zhao chen sun zhou"
CASES = [
    # 会签: everybody, and nobody may disagree
    ("all", {}, by(ALL), (5, "end_yes")),
    ("all", {}, by("li zhao chen sun", "zhou"), (5, "end_no")),
    ("all", {}, by("li zhao chen sun"), (4, "ACTIVE")),
    # 依次: one after the other
    ("sequence", {}, by(ALL), (5, "end_yes")),
    ("sequence", {}, {"zhou": "agree", "li": "agree"}, (1, "ACTIVE")),
    # 或签: the first decides
    ("any", {}, by("sun"), (1, "end_yes")),
    ("any", {}, by("", "sun"), (1, "end_no")),
    # 按比例: three of five, two thirds of three (which no decimal number says exactly)
    ("share", {}, by("li zhao chen"), (3, "end_yes")),
    ("share", {}, by("li zhao", "chen sun zhou"), (5, "end_no")),
    ("share", {"share": "2/3", "variables": {"members": ["li", "zhao", "chen"]}}, by("li zhao"), (2, "end_yes")),
    ("share", {"share": "2/3", "variables": {"members": ["li", "zhao", "chen"]}}, by("li", "zhao chen"), (3, "end_no")),
    # 票决: more than half, and no longer than it is open
    ("ballot", {}, by("li zhao chen"), (3, "end_yes")),
    ("ballot", {}, by("", "li zhao chen"), (3, "end_no")),
    ("ballot", {}, by("li zhao", "chen sun", "zhou"), (5, "end_no")),
    ("ballot", {"variables": {"members": ["li", "zhao", "chen", "sun"]}}, by("li zhao", "chen sun"), (2, "end_no")),
    # 一票否决
    ("veto", {}, by("", "sun"), (1, "end_no")),
    ("veto", {}, by("li zhao chen", "", "sun zhou"), (5, "end_yes")),
    # from a group of the organisation
    ("all", {"members": PEOPLE}, by("sun zhou"), (2, "end_yes")),
    # who is recused is neither asked nor counted: two of three left are a majority, of five they would be none
    ("ballot", {"recused": "recused", "variables": {"recused": ["sun", "zhou"]}}, by("li zhao"), (2, "end_yes")),
    ("all", {"recused": "recused", "variables": {"recused": "zhou"}}, by("li zhao chen sun"), (4, "end_yes")),
    ("all", {"recused": "recused"}, by(ALL), (5, "end_yes")),
    # 应到 and 实到
    ("ballot", {"present": "present", "variables": {"present": ["li", "zhao", "chen"]}}, by("li zhao", "chen"), (3, "end_no")),
    ("ballot", {"present": "present", "of": "called", "variables": {"present": ["li", "zhao", "chen"]}}, by("li zhao"), (2, "end_yes")),
    # a quorum of two thirds of who is due: four of five
    ("ballot", {"present": "present", "quorum": "2/3", "variables": {"present": ["li", "zhao", "chen"]}}, by(ALL), (0, "end_none")),
    ("ballot", {"present": "present", "quorum": "2/3", "variables": {"present": FIVE[:4]}}, by("li zhao chen"), (3, "end_yes")),
    ("veto", {"present": "present", "quorum": "1/2", "variables": {"present": []}}, by(ALL), (0, "end_none")),
    # who is recused and came all the same does not help the quorum, and lowers what is needed
    (
        "ballot", {"present": "present", "recused": "recused", "quorum": "2/3", "variables": {"present": ["li", "zhao", "zhou"], "recused": ["zhou", "sun"]}},
        by("li zhao zhou"), (2, "end_yes"),
    ),
    (
        "ballot", {"present": "present", "recused": "recused", "quorum": "2/3", "variables": {"present": ["li", "zhou", "sun"], "recused": ["zhou", "sun"]}},
        by(ALL), (0, "end_none"),
    ),
    # everybody recused: nobody decides, and nothing passes
    ("veto", {"recused": "recused", "variables": {"recused": FIVE}}, by(ALL), (0, "end_none")),
]  # fmt: skip


@pytest.mark.parametrize(("mode", "choices", "votes", "expected"), CASES)
def test_a_vote_goes_as_the_office_counts_it(voting, mode, choices, votes, expected):
    asked, cast, ended = voting(votes, mode, **choices)

    assert (cast, ended) == expected
    recused = choices.get("variables", {}).get("recused", [])
    assert asked.isdisjoint([recused] if isinstance(recused, str) else recused)
