"""The pictures: complete, calm, Chinese, and no line through a box."""

from __future__ import annotations

import re
from dataclasses import replace
from itertools import combinations

CHINESE = re.compile(r"[\u4e00-\u9fff]")
LATIN_WORD = re.compile(r"[A-Za-z]{2,}")

# How many pairs of flows may cross in each picture.  A number here may only be lowered.
CROSSING_CEILING = {
    "complaint.bpmn": 0,
    "fault_tolerance.bpmn": 0,
    "hnte_recommend.bpmn": 0,
    "sub_correction.bpmn": 0,
    "sub_countersign.bpmn": 0,
    "sub_extension.bpmn": 0,
    "sub_reply_visit.bpmn": 0,
}


def _segments(points):
    return list(zip(points, points[1:], strict=False))


def _crosses(segment, box, margin=1.0):
    """Whether an axis-parallel segment runs through the inside of a box."""
    (ax, ay), (bx, by) = segment
    return (
        max(ax, bx) > box.x + margin
        and min(ax, bx) < box.x + box.width - margin
        and max(ay, by) > box.y + margin
        and min(ay, by) < box.y + box.height - margin
    )


def test_every_node_and_every_flow_is_drawn(drawing):
    assert set(drawing.nodes) <= set(drawing.shapes)
    assert set(drawing.flows) == set(drawing.edges)


def test_every_node_has_a_chinese_label_without_foreign_words(drawing):
    lanes = drawing.every("lane")
    named = [*drawing.nodes.values(), *lanes, drawing.process]
    wrong = [element.get("id") for element in named if not CHINESE.search(element.get("name") or "") or LATIN_WORD.search(element.get("name"))]
    assert not wrong


def test_every_flow_that_leaves_a_deciding_gateway_is_labelled(drawing):
    wrong = [
        id
        for id, flow in drawing.flows.items()
        if drawing.nodes[flow.get("sourceRef")].tag.endswith("Gateway")
        and len([other for other in drawing.flows.values() if other.get("sourceRef") == flow.get("sourceRef")]) > 1
        and not CHINESE.search(flow.get("name") or "")
    ]
    assert not wrong


def test_ids_are_readable_words(drawing):
    wrong = [id for id in (*drawing.nodes, *drawing.flows) if not re.fullmatch(r"[a-z][a-z0-9]*(_[a-z0-9]+)*", id)]
    assert not wrong


def test_every_node_stands_in_its_lane_and_every_lane_in_the_pool(drawing):
    pool = drawing.shapes[f"{drawing.process_id}_pool"]
    seen = []
    for lane in drawing.every("lane"):
        place = drawing.shapes[lane.get("id")]
        assert pool.contains(place)
        for reference in lane.findall("{*}flowNodeRef"):
            box = drawing.shapes[reference.text]
            assert place.contains(box), f"{reference.text} sticks out of {lane.get('name')}"
            seen.append(reference.text)
    top_level = [id for id in drawing.nodes if not drawing.ancestors(id)]
    assert sorted(seen) == sorted(top_level)


def test_no_two_shapes_overlap(drawing):
    for (one, a), (two, b) in combinations([(id, drawing.shapes[id]) for id in drawing.nodes], 2):
        attached = drawing.nodes[one].get("attachedToRef") == two or drawing.nodes[two].get("attachedToRef") == one
        nested = one in drawing.ancestors(two) or two in drawing.ancestors(one)
        assert attached or nested or not a.overlaps(b), f"{one} overlaps {two}"


def test_flows_are_orthogonal_and_touch_their_ends(drawing):
    for id, points in drawing.edges.items():
        flow = drawing.flows[id]
        assert all(ax == bx or ay == by for (ax, ay), (bx, by) in _segments(points)), f"{id} is slanted"
        for end, (x, y) in (("sourceRef", points[0]), ("targetRef", points[-1])):
            box = drawing.shapes[flow.get(end)]
            assert box.x - 1 <= x <= box.x + box.width + 1 and box.y - 1 <= y <= box.y + box.height + 1, f"{id} does not touch {flow.get(end)}"


def test_no_flow_runs_through_a_shape(drawing):
    for id, points in drawing.edges.items():
        flow = drawing.flows[id]
        around = drawing.ancestors(flow.get("sourceRef"))
        for node in drawing.nodes:
            if node not in around and node not in (flow.get("sourceRef"), flow.get("targetRef")):
                hit = [segment for segment in _segments(points) if _crosses(segment, drawing.shapes[node])]
                assert not hit, f"{id} runs through {node}"
        for end in ("sourceRef", "targetRef"):
            inside = [segment for segment in _segments(points) if _crosses(segment, drawing.shapes[flow.get(end)], margin=2)]
            assert not inside, f"{id} runs through its own {flow.get(end)}"


def _meet(one, two):
    """Whether two axis-parallel segments have a point in common, an end or a stretch included."""
    (a, b), (c, d) = one, two
    return all(max(min(a[i], b[i]), min(c[i], d[i])) <= min(max(a[i], b[i]), max(c[i], d[i])) for i in (0, 1))


def _pass_through(one, two):
    """Whether two segments cross at right angles, each going on beyond the other."""
    (a, b), (c, d) = (one, two) if one[0][1] == one[1][1] else (two, one)
    if a[1] != b[1] or c[0] != d[0]:
        return False
    return min(a[0], b[0]) < c[0] < max(a[0], b[0]) and min(c[1], d[1]) < a[1] < max(c[1], d[1])


def _crossings(drawing):
    """The pairs of flows that cross.

    Flows to the same target may join and run on as one line, but not pass through each other.  Any other two flows cross when
    they touch at all: also where one ends on the other, where both run along the same stretch, and where both leave from the same port.
    """
    found = []
    for (one, a), (two, b) in combinations(drawing.edges.items(), 2):
        clash = _pass_through if drawing.flows[one].get("targetRef") == drawing.flows[two].get("targetRef") else _meet
        if any(clash(first, second) for first in _segments(a) for second in _segments(b)):
            found.append((one, two))
    return found


def test_no_more_flows_cross_than_the_ceiling_allows(drawing):
    assert len(_crossings(drawing)) <= CROSSING_CEILING[drawing.path.name], _crossings(drawing)


def test_the_crossing_ceiling_keeps_no_slack(drawing):
    """A drawing that was made calmer lowers its ceiling in the same change, so that the number can only shrink."""
    assert len(_crossings(drawing)) >= CROSSING_CEILING[drawing.path.name]


def test_two_lines_that_touch_on_the_way_to_different_targets_count_as_a_crossing():
    across = ((0, 10), (20, 10))
    assert _meet(across, ((10, 0), (10, 20))) and _meet(across, ((10, 10), (10, 20))) and _meet(across, ((15, 10), (40, 10)))
    assert not _meet(across, ((10, 11), (10, 20)))
    assert _pass_through(across, ((10, 0), (10, 20))) and _pass_through(((10, 0), (10, 20)), across)
    assert not _pass_through(across, ((10, 10), (10, 20))) and not _pass_through(across, ((15, 10), (40, 10)))


def test_no_flow_runs_over_a_label(drawing):
    for id, points in drawing.edges.items():
        covered = [name for name, label in drawing.labels.items() if any(_crosses(segment, label) for segment in _segments(points))]
        assert not covered, f"{id} runs over the label of {covered}"


def test_lane_headings_are_not_covered(drawing):
    """The heading of a lane stands in the first 30 pixels of its band."""
    lanes = [drawing.shapes[lane.get("id")] for lane in drawing.every("lane")]
    headings = [replace(lane, width=30) for lane in lanes]
    shapes = {id: drawing.shapes[id] for id in drawing.nodes}
    for id, box in (*shapes.items(), *drawing.labels.items()):
        assert not any(box.overlaps(heading) for heading in headings), f"{id} covers the heading of a lane"


def test_labels_cover_neither_shapes_nor_each_other(drawing):
    for id, label in drawing.labels.items():
        around = drawing.ancestors(id) if id in drawing.nodes else drawing.ancestors(drawing.flows[id].get("sourceRef"))
        for node in drawing.nodes:
            if node != id and node not in around:
                assert not label.overlaps(drawing.shapes[node], slack=1), f"the label of {id} covers {node}"
    for (one, a), (two, b) in combinations(drawing.labels.items(), 2):
        assert not a.overlaps(b, slack=1), f"the labels of {one} and {two} overlap"


def test_references_between_flows_and_nodes_agree(drawing):
    for id, node in drawing.nodes.items():
        incoming = {item.text for item in node.findall("{*}incoming")}
        outgoing = {item.text for item in node.findall("{*}outgoing")}
        assert incoming == {flow for flow, element in drawing.flows.items() if element.get("targetRef") == id}
        assert outgoing == {flow for flow, element in drawing.flows.items() if element.get("sourceRef") == id}
