"""What is done with the results of a run of scenarios: a draft is submitted, a submission approved, or what was scheduled published.

:func:`submit`, :func:`approve` and :func:`roll_back` are what the room calls: they decide at once where results are at hand, and ask for a
run where there are none, which then goes on by itself, whether or not anybody still looks at the page.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from engine.errors import DeploymentRejected, EngineError, ValidationFailed
from engine.runtime.design import drafts, plans, publishing, runs
from engine.runtime.design.drafts import Draft
from engine.runtime.design.files import Part
from engine.runtime.design.publishing import Submission
from engine.runtime.design.runs import Outcome, ScenarioRun
from engine.runtime.design.scenarios import ScenarioResult
from engine.words import T, Words

if TYPE_CHECKING:
    from engine.runtime.desk import Desk

Play = Callable[["Desk", Mapping[str, str]], "list[ScenarioResult]"]


def from_kept(draft_key: int) -> Play:
    """Take the results that are kept for a draft; :class:`plans.Unplayed` where there are none that hold for these files."""

    def play(desk: Desk, files: Mapping[str, str]) -> list[ScenarioResult]:
        with desk.engine.reading() as conn:
            found = runs.kept(desk, conn, draft_key, files)
        if found is None:
            raise plans.Unplayed
        return list(found.results)

    return play


def from_run(content_sum: str | None, results: Collection[ScenarioResult]) -> Play:
    """Take ``results`` if they hold for these files; :class:`plans.Unplayed` if something has changed since they were played."""

    def play(desk: Desk, files: Mapping[str, str]) -> list[ScenarioResult]:
        with desk.engine.reading() as conn:
            holds = content_sum is not None and runs.current_sum(desk, conn, files) == content_sum
        if not holds:
            raise plans.Unplayed
        return list(results)

    return play


# --- for the room -----------------------------------------------------------------------------------------------------


def submit(
    desk: Desk,
    key: int,
    *,
    revision: int,
    reason: str,
    effective_at: datetime | None = None,
    compared: Collection[Part] = (),
    warnings_seen: bool = False,
    by: str,
    address: str | None = None,
) -> Submission | ScenarioRun:
    """:func:`publishing.submit` with the results that are kept; without any, the run that it follows.  Raises the same."""
    values = {"revision": revision, "reason": reason, "effective_at": effective_at, "compared": compared, "warnings_seen": warnings_seen}
    try:
        return publishing.submit(desk, key, **values, play=from_kept(key), by=by, address=address)
    except plans.Unplayed:
        following = {
            "act": "submit", "revision": revision, "reason": reason.strip(), "effective_at": effective_at and effective_at.isoformat(),
            "compared": [list(part) for part in compared], "warnings_seen": warnings_seen,
        }  # fmt: skip
        return runs.start(desk, key, following=following, by=by, address=address)


def approve(desk: Desk, key: int, *, revision: int, note: str = "", by: str, address: str | None = None) -> Submission | ScenarioRun:
    """:func:`publishing.approve` with the results that are kept; without any, the run that it follows.  Raises the same."""
    with desk.engine.reading() as conn:
        found = publishing.submission(desk, conn, key, by)
    try:
        return publishing.approve(desk, key, revision=revision, note=note, play=from_kept(found.draft_key), by=by, address=address)
    except plans.Unplayed:
        following = {"act": "approve", "submission": key, "revision": revision, "note": note}
        return runs.start(desk, found.draft_key, following=following, by=by, address=address)


def roll_back(
    desk: Desk, process_id: str, deployment: int, *, reason: str, by: str, token: str | None = None, address: str | None = None
) -> tuple[Draft, Submission | ScenarioRun | None]:
    """Submit the content of an earlier version: a draft of it, handed in with the reason, having compared with what is in use.

    The draft stays open, and nothing is submitted, when something stands against it (a rule that is gone, a failing scenario); its page
    says what.
    """
    draft, compared = publishing.earlier(desk, process_id, deployment, reason=reason, by=by, token=token, address=address)
    with desk.engine.reading() as conn:
        if draft.state != "OPEN":
            return draft, next(iter(publishing.submissions(conn, draft_key=draft.key)), None)
        running = runs.open_run(conn, draft.key)
    if running is not None:
        return draft, running
    try:
        values = {"revision": draft.revision, "reason": reason, "compared": compared, "warnings_seen": True}
        return draft, submit(desk, draft.key, **values, by=by, address=address)
    except (DeploymentRejected, ValidationFailed):
        return draft, None


# --- for the node that has played -------------------------------------------------------------------------------------


def _submit(desk: Desk, run: ScenarioRun, play: Play) -> int:
    told = run.following or {}
    day = told["effective_at"]
    values = {
        "revision": told["revision"], "reason": told["reason"], "effective_at": datetime.fromisoformat(day) if day else None,
        "compared": [(kind, id, version) for kind, id, version in told["compared"]], "warnings_seen": told["warnings_seen"],
    }  # fmt: skip
    return publishing.submit(desk, run.draft_key, **values, play=play, by=run.asked_by, address=run.address).key


def _approve(desk: Desk, run: ScenarioRun, play: Play) -> int:
    told = run.following or {}
    values = {"revision": told["revision"], "note": told["note"]}
    return publishing.approve(desk, told["submission"], **values, play=play, by=run.asked_by, address=run.address).key


def _publish(desk: Desk, run: ScenarioRun, play: Play) -> int:
    key = (run.following or {})["submission"]
    publishing.publish_scheduled(desk, key, play)
    return key


ACTS: Mapping[str, Callable[[Any, ScenarioRun, Play], int]] = {"submit": _submit, "approve": _approve, "publish": _publish}
"""What may follow a run; each gives the key of the submission."""
REFUSED: Mapping[str, Words] = {
    "submit": T("“%(title)s” was not submitted: %(reason)s"), "approve": T("“%(title)s” was not approved: %(reason)s"),
}  # fmt: skip
"""What the person who asked is told when it could not be done; of a publication on its day everybody concerned hears."""


def carry_out(desk: Desk, run: ScenarioRun, play: Play) -> Outcome | None:
    """Do what follows ``run``, in the name of the person who asked; a refusal becomes the outcome."""
    if not run.following:
        return None
    try:
        return Outcome(ACTS[run.act](desk, run, play), None, {})
    except plans.Unplayed:
        return Outcome(None, T("The rules, the forms or the organisation changed while the scenarios were played. Please do it again."), {})
    except EngineError as refusal:
        done = _done_already(desk, run)
        return Outcome(done, None, {}) if done is not None else Outcome(None, refusal.message, _errors(refusal))


def _errors(refusal: EngineError) -> dict[str, list[Words]]:
    if isinstance(refusal, DeploymentRejected):
        return {each.file: [each.message] for each in refusal.problems[:20]}
    return dict(getattr(refusal, "errors", {}))


def _done_already(desk: Desk, run: ScenarioRun) -> int | None:
    """The submission, if a node has done what follows and died before it could say so."""
    told = run.following or {}
    with desk.engine.reading() as conn:
        for each in publishing.submissions(conn, draft_key=run.draft_key)[:1]:
            mine = (each.submitted_by, each.reason) == (run.asked_by, told.get("reason"))
            if run.act == "submit" and mine and each.submitted_at >= run.asked_at and each.state in ("WAITING", "SCHEDULED", "PUBLISHED"):
                return each.key
            if run.act == "approve" and each.decided_by == run.asked_by and each.state in ("SCHEDULED", "PUBLISHED"):
                return each.key
    return None


def give_up(desk: Desk, run: ScenarioRun) -> None:
    """A run could not be played to its end on any node: what was scheduled is not published, and everybody concerned is told."""
    if run.act == "publish":
        why = T("The scenarios could not be played to their end. Look at the log of the server, then submit it again.")
        publishing.fail_scheduled(desk, (run.following or {})["submission"], why)


def title_of(desk: Desk, run: ScenarioRun) -> str:
    """The draft's title."""
    with desk.engine.reading() as conn:
        return drafts.get(desk, conn, run.draft_key, desk.OPERATOR).title
