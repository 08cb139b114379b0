"""``banjie procedures export | import``: procedures between the database and the folder that engineers keep in git."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from engine.words import T

if TYPE_CHECKING:
    from web.cli import Session

Command = Callable[..., Callable[[Callable[..., Any]], click.Command]]


def add_to(main: click.Group, command: Command) -> None:
    """Add the verbs to the program; ``command`` is how it makes one (:func:`web.cli.command`)."""
    group = click.Group("procedures", help="Procedures between the database and a folder.")
    main.add_command(group)
    command(group, "export")(export)
    command(group, "import")(bring)


@click.argument("folder", metavar="DIR", type=click.Path(file_okay=False, path_type=Path))
@click.option("--process", "process_ids", multiple=True, help="Only this process; may be repeated. Without it: all.")
@click.option("--force", is_flag=True, help="Write also over files that were changed in the folder.")
def export(session: Session, folder: Path, process_ids: tuple[str, ...], force: bool) -> None:
    """Write what is in use into DIR/processes and DIR/forms; exit code 1 when files changed there were left alone."""
    from engine.runtime.design.folder import export_folder

    answer = export_folder(session.engine().desk, folder, process_ids, force=force)
    for path in answer.conflicts:
        click.echo(session.say(T("%(file)s was changed in the folder and is left alone. Import it, or use --force.", file=path)), err=True)
    click.echo(session.say(T("%(written)d file(s) written, %(same)d unchanged.", written=len(answer.written), same=len(answer.unchanged))))
    if answer.conflicts:
        sys.exit(1)


@click.argument("folder", metavar="DIR", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--publish", is_flag=True, help="Put it into use at once instead of making drafts.")
@click.option("--force", is_flag=True, help="Take also files behind what is in use, and files that both sides changed.")
@click.option("--by", help="Who imports, for the ledger; drafts need a designer. Without it: the operator.")
def bring(session: Session, folder: Path, publish: bool, force: bool, by: str | None) -> None:
    """Take over what changed in DIR/processes and DIR/forms: a draft of each procedure; exit code 1 when files were not taken."""
    from engine.runtime.design.folder import import_folder
    from engine.runtime.desk import OPERATOR
    from web.cli import require_tables

    engine = session.engine()
    require_tables(engine)
    answer = import_folder(engine.desk, folder, publish=publish, force=force, by=by or OPERATOR)
    for words in answer.refused:
        click.echo(session.say(words), err=True)
    for _key, title in answer.drafts:
        click.echo(session.say(T("Draft: %(title)s", title=title)))
    for path in answer.published:
        click.echo(session.say(T("In use: %(file)s", file=path)))
    if not answer.drafts and not answer.published:
        click.echo(session.say(T("Nothing new in the folder.")))
    if answer.refused:
        sys.exit(1)
