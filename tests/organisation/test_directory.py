"""Groups, deputies, eligibility and conflicts of interest as pure functions."""

from __future__ import annotations

from datetime import date

from hypothesis import given
from hypothesis import strategies as st

from engine.organisation import DEPUTY_RULES, Deputy, Directory, Person, Section, conflicts, eligible, excluded_by

DAY = date(2026, 11, 23)
PEOPLE = [
    Person("li", "李强", "gaoxin", roles=frozenset({"clerk"})),
    Person("chen", "陈刚", "gaoxin", roles=frozenset({"section_chief", "clerk"})),
    Person("sun", "孙丽", "nongcun", roles=frozenset({"clerk"})),
    Person("old", "老王", "gaoxin", roles=frozenset({"clerk"}), active=False),
]
SECTIONS = [Section("gaoxin", "高新技术科", "section"), Section("nongcun", "农村科技科", "section")]


def directory(*deputies: Deputy) -> Directory:
    return Directory(SECTIONS, PEOPLE, {"clerk": "经办人"}, deputies)


def may(known: Directory, login: str, **task):
    values = {"assignee": None, "candidate_groups": (), "candidate_users": (), "excluded": ()} | task
    return eligible(known, login, DAY, **values)


def test_a_person_is_in_roles_section_and_roles_of_the_section():
    assert directory().own_groups("chen") == {"clerk", "section_chief", "section:gaoxin", "clerk@gaoxin", "section_chief@gaoxin"}
    assert directory().own_groups("old") == directory().own_groups("nobody") == frozenset()


def test_members_are_the_active_people():
    assert directory().members("clerk@gaoxin") == ("chen", "li")
    assert directory().holders(("county_leader", "section_chief"), "gaoxin") == ("chen",)


def test_a_deputy_has_the_groups_of_the_absent_on_those_days_only():
    known = directory(Deputy("chen", "sun", date(2026, 11, 23), date(2026, 11, 24)))
    assert "section_chief@gaoxin" in known.groups("sun", date(2026, 11, 24))
    assert "section_chief@gaoxin" not in known.groups("sun", date(2026, 11, 25))
    assert known.deputies_of("chen", DAY) == ("sun",)


def test_the_deputy_of_a_deputy_gets_nothing():
    known = directory(Deputy("chen", "li", DAY, DAY), Deputy("li", "sun", DAY, DAY))
    assert "section_chief" not in known.groups("sun", DAY)


def test_one_acts_in_ones_own_right_before_acting_as_a_deputy():
    known = directory(Deputy("chen", "li", DAY, DAY))
    assert may(known, "li", candidate_groups=["clerk@gaoxin"]).on_behalf_of is None
    assert may(known, "li", candidate_groups=["section_chief"]).on_behalf_of == "chen"
    assert may(known, "li", assignee="chen").on_behalf_of == "chen"


def test_a_conflict_of_interest_is_not_cured_by_a_substitution():
    known = directory(Deputy("chen", "sun", DAY, DAY))
    assert not may(known, "sun", candidate_groups=["section_chief"], excluded=["section:gaoxin"]).allowed
    assert not may(known, "li", candidate_users=["li"], excluded=["li"]).allowed


@given(rule=st.sampled_from([None, "", *DEPUTY_RULES, "unknown"]), login=st.sampled_from(["li", "chen", "sun"]), absent=st.sampled_from(["li", "chen"]))
def test_a_rule_for_deputies_only_ever_takes_deputies_away(rule, login, absent):
    known = directory(Deputy(absent, login, DAY, DAY))
    without = may(known, login, candidate_groups=["section_chief"])
    ruled = may(known, login, candidate_groups=["section_chief"], deputies=rule)
    assert ruled == without or (without.on_behalf_of and not ruled.allowed)
    assert rule or ruled == without


def test_a_task_that_names_nobody_is_open_to_active_people():
    assert may(directory(), "sun").allowed
    assert not may(directory(), "old").allowed


def test_conflicts_name_the_reason():
    found = conflicts(PEOPLE, sections=["nongcun"], logins=["li"], declared=["chen"])
    assert set(found) == {"li", "sun", "chen"}
    assert "party" in str(found["li"]) and "declared" in str(found["chen"]) and "unit" in str(found["sun"])


LOGINS = st.sampled_from([person.login for person in PEOPLE])
GROUPS = st.lists(st.sampled_from(["clerk", "section:gaoxin", "clerk@nongcun", "section_chief", "li", "sun"]), max_size=4)


@given(login=LOGINS, groups=GROUPS, excluded=GROUPS, assignee=st.none() | LOGINS, deputies=st.lists(st.tuples(LOGINS, LOGINS), max_size=3))
def test_nobody_who_is_excluded_ever_becomes_eligible(login, groups, excluded, assignee, deputies):
    known = directory(*(Deputy(absent, stand_in, DAY, DAY) for absent, stand_in in deputies))
    answer = may(known, login, assignee=assignee, candidate_groups=groups, candidate_users=groups, excluded=excluded)
    if answer.allowed:
        assert excluded_by(known, login, excluded) is None
        assert answer.on_behalf_of is None or excluded_by(known, answer.on_behalf_of, excluded) is None
        assert known.own_groups(login)
