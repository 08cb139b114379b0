"""Who is meant by “the section chief” of a limit: the chief over whoever works on it now."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from engine.organisation import Directory, Person, Section
from engine.runtime.telling.recipients import Recipients

DIRECTORY = Directory(
    [Section("office", "办公室", "section"), Section("gaoxin", "高新技术科", "section"), Section("nongcun", "农村科技科", "section")],
    [
        Person("guo", "郭涛", "office", roles=frozenset({"section_chief"})),
        Person("chen", "陈刚", "gaoxin", roles=frozenset({"section_chief"})),
        Person("li", "李强", "gaoxin", roles=frozenset({"clerk"})),
        Person("sun", "孙丽", "nongcun", roles=frozenset({"clerk"})),
    ],
)


def task(assignee: str | None, *groups: str) -> SimpleNamespace:
    return SimpleNamespace(assignee=assignee, candidate_users=[], candidate_groups=list(groups), excluded=[], clock_key=1)


@pytest.mark.parametrize(
    "open_task, owner, chiefs",
    [
        (task("li"), "office", ["chen"]),
        (task(None, "clerk@gaoxin"), "office", ["chen"]),
        (task(None, "clerk"), "office", ["guo"]),
        (task(None, "nobody"), "office", ["guo"]),
        (task(None, "clerk@gaoxin"), None, ["chen"]),
    ],
    ids=["who has it", "to whom it is offered", "offered to several sections", "offered to nobody", "a case without an owner"],
)
def test_the_chief_is_over_who_works_on_it_else_over_the_case(open_task, owner, chiefs):
    case = SimpleNamespace(section_code=owner, starter="li")
    assert list(Recipients(DIRECTORY, case, [open_task], 1).people("section_chief")) == chiefs
