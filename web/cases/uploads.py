"""What comes in with a form: its data, and the documents chosen in it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from flask import current_app, g, request
from sqlalchemy import Row

from engine.errors import ValidationFailed
from engine.words import T
from web import security


def posted_data() -> dict[str, Any]:
    """The form's data as the page's script put it in; plain forms without a script post nothing but the outcome."""
    try:
        data = json.loads(request.form.get("data") or "{}")
    except ValueError:
        data = None
    if not isinstance(data, dict):
        raise ValidationFailed(T("The form's data could not be read. Reload the page; your draft is kept."))
    return data


def receive(subject: str) -> list[dict[str, Any]]:
    """Store the files of a multipart request for ``subject``; returns their keys, names and sizes.

    ``key`` is the value that the form's field holds (``files::…``): it joins the documents with the answer.
    """
    desk = current_app.extensions["engine"].desk
    field = request.form.get("key", "").strip()[:255]
    files = [file for file in request.files.getlist("files") if file.filename]
    if not field or not files:
        raise ValidationFailed(T("No document arrived. Choose it again."))
    stored = []
    for file in files:
        content = file.stream.read()
        name, kind = file.filename or "", file.mimetype or ""
        key = desk.upload(subject, field, name, kind, content, by=g.person.login, address=security.address())
        stored.append({"key": str(key), "name": name, "size": len(content)})
    return stored


def stored_files(attachments: Sequence[Row]) -> dict[str, list[dict[str, Any]]]:
    """Documents by the field value they belong to, as the form island wants them."""
    found: dict[str, list[dict[str, Any]]] = {}
    for row in attachments:
        found.setdefault(row.field, []).append({"name": row.filename, "size": row.size})
    return found
