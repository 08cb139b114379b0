"""The only way a view of the designer's room gets a draft or a submission."""

from __future__ import annotations

from flask import current_app, g

from engine.errors import NotPermitted
from engine.runtime.design import drafts, publishing, runs
from engine.runtime.design.drafts import Draft
from engine.runtime.design.publishing import Submission
from engine.runtime.design.runs import ScenarioRun
from engine.words import T


def access_draft(key: int) -> Draft:
    """The draft, for a signed-in designer.

    Raises :class:`NotPermitted` for people without the permission "design" and :class:`NotFound` when there is no such draft.
    Whether it may be *changed* is decided by the commands.
    """
    if not g.person.may("design"):
        raise NotPermitted(T("This page is not among your duties."))
    engine = current_app.extensions["engine"]
    with engine.reading() as conn:
        return drafts.get(engine.desk, conn, key, g.person.login)


def access_submission(key: int) -> Submission:
    """The submission, for a signed-in designer or administrator.  Raises :class:`NotPermitted` or :class:`NotFound`."""
    if not g.person.may("approve_design"):
        raise NotPermitted(T("This page is not among your duties."))
    engine = current_app.extensions["engine"]
    with engine.reading() as conn:
        return publishing.submission(engine.desk, conn, key, g.person.login)


def access_run(key: int) -> ScenarioRun:
    """The run of scenarios, for a signed-in designer or administrator.  Raises :class:`NotPermitted` or :class:`NotFound`."""
    if not g.person.may("approve_design"):
        raise NotPermitted(T("This page is not among your duties."))
    engine = current_app.extensions["engine"]
    with engine.reading() as conn:
        return runs.get(engine.desk, conn, key, g.person.login)
