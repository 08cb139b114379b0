"""The decision tables at their edges (domain.md §1.9, §1.15, §1.17)."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.dmn import check_dmn, parse_dmn

ROOT = Path(__file__).resolve().parents[2]
FILES = sorted((ROOT / "processes").glob("*/*.dmn"))


@pytest.fixture(scope="module")
def decide():
    models = {id: model for path in FILES for model in [parse_dmn(path.read_bytes(), path.name)] for id in model.decisions}

    def run(decision: str, **variables):
        result = models[decision].decisions[decision].evaluate(variables)
        assert result.failure is None
        return result.value

    return run


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_the_engine_finds_nothing_wrong(path):
    assert [str(problem) for problem in check_dmn(path.read_bytes(), path.name)] == []


# --- 高企 ---------------------------------------------------------------------------------------------------------------

IP = [{"ip_class": "I", "obtained": "self"}]
BEST = {
    "ip_list": IP, "tech_level": "high", "core_support": "strong", "standards": True, "transfers_per_year": 5, "mgmt_system": 6, "mgmt_institution": 6,
    "mgmt_incentive": 4, "mgmt_talent": 4, "net_assets_y1": 100, "net_assets_y2": 200, "net_assets_y3": 400, "sales_y1": 100, "sales_y2": 200, "sales_y3": 400,
}  # fmt: skip


def test_the_best_firm_reaches_30_30_20_20_and_standards_do_not_exceed_the_cap(decide):
    score = decide("hnte_score", **BEST)
    assert [score[part] for part in ("ip", "transfer", "management", "growth", "total")] == [30, 30, 20, 20, 100]


def test_a_firm_without_anything_scores_nothing(decide):
    assert decide("hnte_score", tech_level="none", core_support="none")["total"] == 0


@pytest.mark.parametrize(("talent", "total", "passed"), [(1, 70, False), (2, 71, True)])
def test_exactly_seventy_points_do_not_pass(decide, talent, total, passed):
    # 30 + 30 + management + no growth
    flat = {f"{row}_y{year}": 100 for row in ("net_assets", "sales") for year in (1, 2, 3)}
    firm = {**BEST, **flat, "mgmt_system": 6, "mgmt_institution": 3, "mgmt_incentive": 0, "mgmt_talent": talent}
    score = decide("hnte_score", **firm)
    assert (score["total"], score["passed"]) == (total, passed)


@pytest.mark.parametrize(
    ("one", "two", "three", "points"),
    [(100, 135, 182.25, 10), (100, 134, 180, 8), (100, 125, 156.25, 8), (100, 115, 132.25, 6), (100, 105, 110.25, 4), (100, 101, 102, 2), (100, 100, 100, 0),
     (100, 90, 80, 0), (0, 100, 140, 10), (100, 0, 50, 0), (None, None, None, 0)],
)  # fmt: skip
def test_growth_is_the_mean_of_two_years_and_survives_zero(decide, one, two, three, points):
    assert decide("hnte_sales_points", sales_y1=one, sales_y2=two, sales_y3=three) == points


@pytest.mark.parametrize(("own", "class_two", "points"), [([], 0, 0), ([], 1, 2), ([], 2, 2), ([], 3, 4), ([], 4, 4), ([], 5, 6), (IP, 0, 8)])
def test_the_number_of_rights_is_banded(decide, own, class_two, points):
    rights = [*own, *({"ip_class": "II", "obtained": "transfer"} for _ in range(class_two))]
    assert decide("hnte_ip_quantity", ip_list=rights) == points


SOUND = {
    **BEST, "apply_date": "2026-11-23", "registered_on": "2025-11-23", "tech_field": "it", "rd_staff": 10, "staff_total": 100, "rd_total": 50, "rd_domestic": 30,
    "sales_total": 1000, "hp_income": 60, "total_income": 100, "sales_y1": 250, "sales_y2": 330, "sales_y3": 420,
}  # fmt: skip


def test_a_firm_on_every_threshold_gets_no_warning(decide):
    assert decide("hnte_conditions", **SOUND) == []


@pytest.mark.parametrize(
    ("change", "words"),
    [({"registered_on": "2025-11-24"}, "条件一"), ({"ip_list": []}, "条件二"), ({"tech_field": None}, "条件三"), ({"rd_staff": 9}, "条件四"), ({"rd_total": 49}, "条件五"),
     ({"rd_domestic": 29}, "条件五"), ({"hp_income": 59}, "条件六"), ({"has_accident": True}, "条件八")],
)  # fmt: skip
def test_each_condition_missed_by_a_hair_warns(decide, change, words):
    assert any(warning.startswith(words) for warning in decide("hnte_conditions", **{**SOUND, **change}))


@pytest.mark.parametrize(("sales", "share"), [(5000, 5), (5000.01, 4), (20000, 4), (20000.01, 3)])
def test_the_share_of_research_falls_with_the_sales_of_the_last_year(decide, sales, share):
    assert decide("hnte_rd_threshold", sales_y3=sales) * 100 == share


@pytest.mark.parametrize(
    ("given", "needed"),
    [({"application_type": "new"}, True), ({"application_type": "renew", "condition_warnings": []}, False), ({"application_type": "renew", "condition_warnings": ["x"]}, True),
     ({"application_type": "renew", "spot_check": True}, True)],
)  # fmt: skip
def test_new_firms_and_doubtful_firms_are_visited(decide, given, needed):
    assert decide("hnte_onsite_required", **given) is needed


# --- 投诉、容错、票决 -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "grade"),
    [({"category": "delay"}, "C"), ({"category": "fees"}, "B"), ({"category": "delay", "repeated": True}, "B"), ({"category": "delay", "amount": 10}, "B"), ({"amount": 9.99}, "C"),
     ({"amount": 100}, "A"), ({"people_count": 10}, "A"), ({"people_count": 9}, "C"), ({"source": "superior"}, "A"), ({"discipline_clue": True}, "A")],
)  # fmt: skip
def test_complaints_are_graded(decide, given, grade):
    assert decide("complaint_grade", **given)["grade"] == grade


ALL_FOUR = {"cond_reform": True, "cond_lawful": True, "cond_procedure": True, "cond_diligent": True, "loss_level": "none"}


@pytest.mark.parametrize(
    ("change", "conclusion"),
    [({}, "exempt"), ({"prohibited": ["fraud"]}, "refuse"), ({"private_gain": True}, "refuse"), ({"cond_lawful": False}, "refuse"), ({"cond_procedure": False}, "mitigate"),
     ({"cond_diligent": False}, "refuse"), ({"loss_level": "major", "remedied": True}, "mitigate"), ({"loss_level": "major"}, "refuse")],
)  # fmt: skip
def test_exemption_needs_all_four_conditions_and_no_great_loss(decide, change, conclusion):
    assert decide("ft_conclusion", **{**ALL_FOUR, **change})["conclusion"] == conclusion


@pytest.mark.parametrize(
    ("mode", "due", "present", "agree", "oppose", "passed"),
    [("majority_of_due", 6, 4, 3, 1, False), ("majority_of_due", 6, 4, 4, 0, True), ("majority_of_present", 6, 4, 3, 1, True), ("two_thirds", 6, 6, 4, 2, True),
     ("two_thirds", 6, 6, 3, 3, False), ("all", 3, 3, 3, 0, True), ("all", 3, 3, 2, 0, False), ("any", 3, 3, 1, 2, True), ("any", 3, 3, 0, 3, False), ("veto", 3, 3, 2, 1, False),
     ("veto", 3, 3, 2, 0, True)],
)  # fmt: skip
def test_votes_are_counted_by_their_mode(decide, mode, due, present, agree, oppose, passed):
    tally = {"due": due, "present": present, "agree": agree, "oppose": oppose, "abstain": present - agree - oppose}
    assert decide("countersign_result", vote_mode=mode, tally=tally) is passed
