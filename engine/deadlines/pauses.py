"""Why a limit stands still: the kinds of pause, their words, and the text that allows each.

A kind says which sort of time is not counted (``domain.md`` §4.3: consultation, expert review, hearing, inspection, correction).  Where
the source names the text that excludes this time from the limit (§1.0.4), it is kept as ``basis`` so that whoever pauses can read it.
"""

from __future__ import annotations

from dataclasses import dataclass

from engine.words import T, Words


@dataclass(frozen=True)
class PauseKind:
    """One kind of pause; ``basis`` is empty where the source names no text and the decision itself has to."""

    id: str
    word: Words
    basis: Words | str = ""


PAUSE_KINDS: dict[str, PauseKind] = {
    kind.id: kind
    for kind in (
        PauseKind(
            "correction", T("correction of the materials"), T("The time until the applicant has corrected the materials is not counted.")
        ),
        PauseKind(
            "consultation",
            T("consultation of a third party"),
            T(
                "Regulations on Open Government Information, article 33: the time to consult third parties and other agencies is not counted."
            ),
        ),
        PauseKind(
            "expert_review",
            T("expert review"),
            T(
                "Administrative Licensing Law: the time of an expert review is not counted; the applicant is told in writing how long it takes."
            ),
        ),
        PauseKind(
            "hearing",
            T("hearing"),
            T(
                "Administrative Licensing Law; Regulations on Complaints by Letters and Visits, article 36: the time of a hearing is not counted."
            ),
        ),
        PauseKind(
            "inspection",
            T("inspection, test or appraisal"),
            T("Regulations on Social Credit, article 41: the time of inspection, appraisal and review is not counted."),
        ),
        PauseKind("other_agency", T("waiting for another agency"), T("Name the agency and the letter to it.")),
        PauseKind("suspension", T("suspension by decision"), T("A written decision is needed; give its number.")),
    )
}
"""Kind → its words, in the order in which a page offers them."""

NEEDS_DOCUMENT = frozenset({"suspension"})
"""Kinds that nobody may begin without naming the document that decides it."""


def kind_word(kind: str) -> Words | str:
    """The word of a kind; a kind that this version does not know is shown by its name, none at all as nothing."""
    known = PAUSE_KINDS.get(kind)
    return known.word if known else kind
