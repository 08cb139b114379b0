"""The pictures: complete, calm, Chinese, and no line through a box."""

from __future__ import annotations

import re
from itertools import combinations

CHINESE = re.compile(r"[\u4e00-\u9fff]")
LATIN_WORD = re.compile(r"[A-Za-z]{2,}")


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


def test_few_flows_cross(drawing):
    """Lines that join on the way to the same target are one line to the eye; at most one crossing for four flows otherwise."""
    lines = [(id, *segment) for id, points in drawing.edges.items() for segment in _segments(points)]
    crossings = set()
    for (one, a, b), (two, c, d) in combinations(lines, 2):
        if drawing.flows[one].get("targetRef") == drawing.flows[two].get("targetRef") or (a[1] == b[1]) == (c[1] == d[1]):
            continue
        (h1, h2), (v1, v2) = ((a, b), (c, d)) if a[1] == b[1] else ((c, d), (a, b))
        if min(h1[0], h2[0]) < v1[0] < max(h1[0], h2[0]) and min(v1[1], v2[1]) < h1[1] < max(v1[1], v2[1]):
            crossings.add((one, two))
    assert len(crossings) <= len(drawing.flows) / 4


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
