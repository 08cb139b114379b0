"""Reading BPMN: what is refused, and how well the refusal says what to do."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.bpmn.reader import read_bpmn
from engine.bpmn.validation import check
from engine.runtime.examining import examine
from tests.bpmn.builder import HEAD, boundary, bpmn, call, each, error, message, on, process, receive, service, sub, timer, user, xor


def problems(data: bytes | str, file: str = "p.bpmn"):
    return check(read_bpmn(data.encode() if isinstance(data, str) else data, file))


def rules(data: bytes | str) -> set[str]:
    return {problem.rule for problem in problems(data) if problem.severity == "error"}


GOOD = bpmn(process("p", "start -> a -> end"))


def test_a_plain_model_has_no_problems():
    assert problems(GOOD) == []


def test_an_entity_bomb_is_refused_without_being_expanded():
    bomb = '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;"><!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;">]>'
    text = GOOD.decode().replace("?>\n", f"?>\n{bomb}", 1).replace("The p", "&c;&c;&c;")
    assert rules(text) == {"xml.doctype"}


def test_an_external_file_is_not_read(tmp_path):
    secret = tmp_path / "secret.txt"
    secret.write_text("the secret")
    text = GOOD.decode().replace("?>\n", f'?>\n<!DOCTYPE x [<!ENTITY a SYSTEM "{secret.as_uri()}">]>', 1).replace("</bpmn:process>", "<bpmn:documentation>&a;</bpmn:documentation></bpmn:process>")
    found = problems(text)
    assert [problem.rule for problem in found] == ["xml.doctype"]
    assert "the secret" not in str(found)


def test_an_external_dtd_is_not_fetched():
    text = GOOD.decode().replace("?>\n", '?>\n<!DOCTYPE definitions SYSTEM "http://127.0.0.1:9/a.dtd">', 1)
    assert rules(text) == {"xml.doctype"}


def test_fifty_megabytes_are_refused_before_they_are_parsed():
    found, refused = examine({"big.bpmn": b" " * 50 * 1024 * 1024})
    assert not found
    assert [problem.rule for problem in refused] == ["xml.too-large"]
    assert "Split" in refused[0].message


@pytest.mark.parametrize("depth", [250, 100_000])
def test_deep_nesting_is_refused(depth):
    assert rules(HEAD + "<bpmn:x>" * depth + "</bpmn:x>" * depth + "</bpmn:definitions>") <= {"xml.too-deep", "xml.malformed"}
    assert rules(HEAD + "<bpmn:x>" * depth + "</bpmn:x>" * depth + "</bpmn:definitions>")


@pytest.mark.parametrize(
    "data, rule",
    [
        (b"", "xml.empty"),
        (b"hello", "xml.malformed"),
        (b"\x00\xff\xfe\x01", "xml.malformed"),
        (b"%PDF-1.7 ...", "xml.malformed"),
        (b"<html><body/></html>", "bpmn.root"),
        (GOOD[:-40], "xml.malformed"),
        (bpmn(process("p", "start -> end", executable=False)), "bpmn.not-executable"),
    ],
)
def test_what_is_no_bpmn_is_refused_in_one_sentence(data, rule):
    found = problems(data)
    assert [problem.rule for problem in found] == [rule]
    assert found[0].file == "p.bpmn"


def test_malformed_xml_names_the_line():
    broken = GOOD.decode().replace("</bpmn:process>", "</bpmn:proces>")
    (found,) = problems(broken)
    assert found.line == broken[: broken.index("</bpmn:proces>")].count("\n") + 1
    assert f"Line {found.line} of p.bpmn" in found.message


def test_all_problems_are_listed_with_label_line_and_cure():
    text = bpmn(
        process(
            "p",
            "start -> a -> gate -[x >]-> b; gate -> c -> end; d -> end",
            gate=xor(),
            a=user("审查材料", assignee="=broken("),
            b=receive(message("m", key="=(")),
        )
    ).decode()
    found = problems(text)
    assert "feel.syntax" in {problem.rule for problem in found}
    assert len([problem for problem in found if problem.rule == "feel.syntax"]) == 3
    assert any("审查材料" in problem.message for problem in found)
    lines = text.splitlines()
    for problem in found:
        assert problem.line and problem.element_id and lines[problem.line - 1]
    repaired = text.replace("=broken(", "=x").replace("x &gt;", "x &gt; 1").replace('"=("', '"=x"')
    found = problems(repaired)
    assert {"bpmn.no-condition", "bpmn.no-incoming", "bpmn.no-outgoing", "bpmn.no-default"} == {problem.rule for problem in found}
    for problem in found:
        assert f'id="{problem.element_id}"' in lines[problem.line - 1]
        assert re.search(r"“The \w+”", problem.message)


CANNOT_RUN = {
    "nowhere to begin": (bpmn(process("p", "a -> b -> a")), "bpmn.no-start"),
    "a flow to nowhere": (GOOD.replace(b'targetRef="end"', b'targetRef="gone"'), "bpmn.reference"),
    "an id twice": (GOOD.replace(b'id="end"', b'id="a"'), "bpmn.duplicate-id"),
    "a message that does not exist": (bpmn(process("p", "start -> m -> end", m=receive(message("m")))).replace(b'messageRef="message_m"', b'messageRef="n"'), "bpmn.reference"),
    "a timer nobody can read": (bpmn(process("p", "start -> a -> end; late -> end", late=boundary("a", timer("three days")))), "bpmn.timer"),
    "an error that does not interrupt": (bpmn(process("p", "start -> a -> end; e -> end", e=boundary("a", error("E"), interrupting=False))), "bpmn.error-interrupts"),
    "a boundary event on nothing": (bpmn(process("p", "start -> a -> end; e -> end", e=boundary("b", error("E")))), "bpmn.reference"),
    "a sub-process that cannot begin": (bpmn(process("p", "start -> s -> end", s=sub("b -> c -> b"))), "bpmn.no-start"),
    "an event sub-process without event": (bpmn(process("p", "start -> a -> end", s=on("start1 -> b -> end1"))), "bpmn.event-subprocess-start"),
    "a flow across a border": (bpmn(process("p", "start -> s -> end; c -> end", s=sub("start1 -> c -> end1"))), "bpmn.duplicate-id"),
    "a repetition over nothing": (bpmn(process("p", "start -> a -> end", a=each(user()))), "bpmn.multi-instance"),
    "a call of nothing": (bpmn(process("p", "start -> c -> end", c=call(""))), "zeebe.called-element"),
    "a gateway without conditions": (bpmn(process("p", "start -> g -> a -> end; g -> end", g=xor())), "bpmn.no-condition"),
    "a loop without end": (GOOD.replace(b'name="The a">', b'name="The a"><bpmn:standardLoopCharacteristics/>'), "bpmn.loop"),
}  # fmt: skip


@pytest.mark.parametrize("what", CANNOT_RUN)
def test_a_model_that_cannot_run_is_refused(what):
    data, rule = CANNOT_RUN[what]
    assert rule in rules(data)


def test_a_job_without_retries_given_has_three():
    spec = read_bpmn(bpmn(process("p", "start -> s -> end", s=service("mail"))), "p.bpmn").processes["p"]
    assert spec.task_specs["s"].retries is None


def test_a_model_of_two_thousand_elements_is_read_without_recursion():
    chain = "start -> " + " -> ".join(f"t{number}" for number in range(2_000)) + " -> end"
    assert problems(bpmn(process("p", chain))) == []


@given(st.binary(max_size=300))
def test_no_bytes_make_the_reader_fall_over(data):
    assert problems(data)


@given(st.data())
def test_a_damaged_model_gives_problems_or_a_process_never_an_exception(data):
    text = DAMAGED
    cut = data.draw(st.integers(0, len(text)))
    length = data.draw(st.integers(0, 40))
    insert = data.draw(st.sampled_from(["", "<", ">", '"', "<bpmn:task/>", 'id="a"', "=", "]]>", "&x;", "\x00"]))
    model = read_bpmn((text[:cut] + insert + text[cut + length :]).encode(), "p.bpmn")
    assert check(model) or model.processes


DAMAGED = bpmn(
    process(
        "p",
        "start -> g -[x > 1]-> a -> s -> end; g -[*]-> m -> end; late -> end",
        g=xor(),
        m=receive(message("m", key="=x")),
        late=boundary("a", timer("PT1H")),
        s=sub("start1 -> b -> end1", b=each(user(), "=list", "item", until="done")),
    )
).decode()
