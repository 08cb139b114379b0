"""The designers' guide, read in the room."""

from __future__ import annotations

from flask import g, render_template, send_from_directory, url_for

from engine.errors import NotFound
from web.designer import blueprint, guide
from web.people import requires


@blueprint.get("/designer/help", endpoint="help")
@requires("design")
def show_guide():
    """The guide, with its table of contents; the properties of the editor link to its anchors."""
    g.room = "designer"
    try:
        text = guide.GUIDE.read_text("utf-8")
    except OSError as error:
        raise NotFound("The guide is not part of this installation; it is docs/designer-guide.md.") from error
    shown = guide.html(text, lambda name: url_for("designer.help_picture", name=name))
    return render_template("designer/help.html", shown=shown, headings=guide.headings(text))


@blueprint.get("/designer/help/pictures/<name>", endpoint="help_picture")
@requires("design")
def picture(name: str):
    """A picture of the guide."""
    if guide.PICTURE.fullmatch(f"images/{name}") is None:
        raise NotFound("There is no such picture.")
    return send_from_directory(guide.DOCS / "images", name, mimetype="image/png", max_age=86400)
