"""``banjie``: the program for administrators.  Every refusal is one sentence on standard error and exit code 2."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Iterable
from dataclasses import asdict
from functools import wraps
from pathlib import Path
from typing import Any

import click

from engine.errors import DeploymentRejected, EngineError, ValidationFailed
from engine.words import T, Words, translate
from web import cli_operations, cli_procedures, program_version
from web.config import Settings, load_settings, with_secret

MODEL_FILES = (".bpmn", ".dmn", ".form", ".yaml")
"""What a deployment consists of; README files and drawings beside them stay behind."""


ORGANISATION_ROWS = {"sections": {"code", "name", "kind"}, "roles": {"code", "name"}, "people": {"login", "name", "section", "roles"}}
"""What a row of each list of an organisation file must say."""


class Session:
    """One run of the program: its settings file, read when first needed, and its language."""

    def __init__(self, config: Path) -> None:
        self.config = config
        self._settings: Settings | None = None

    @property
    def settings(self) -> Settings:
        if self._settings is None:
            self._settings = load_settings(self.config)
        return self._settings

    def say(self, text: str | Words) -> str:
        """``text`` in the first language of the settings; English as long as there are none."""
        from web.i18n import read_catalogues

        if self._settings is None or self._settings.languages[0] == "en":
            return str(text)
        return translate(text, read_catalogues(self._settings.languages[0]).ugettext)

    def engine(self, *, clock: Callable[[], Any] | None = None) -> Any:
        """The engine on the configured database.  The folder for the default database is made; others must exist."""
        from engine import Engine
        from web.i18n import gettext_of

        settings = self.settings
        if settings.database.startswith(f"sqlite:///{settings.var}/"):
            self._make_var(settings)
        options = {} if clock is None else {"clock": clock}
        made = Engine(settings.database, settings=asdict(settings), node=settings.node_name, pool_size=settings.database_pool_size, **options)
        made.desk.translator = gettext_of
        return made

    @staticmethod
    def _make_var(settings: Settings) -> None:
        try:
            settings.var.mkdir(exist_ok=True)
        except OSError as trouble:
            raise EngineError("The folder %(folder)s cannot be made: %(why)s.", folder=str(settings.var), why=trouble.strerror) from trouble


def refusals_in_words(command: Callable[..., Any]) -> Callable[..., Any]:
    """Turn what an administrator can cure into a sentence; anything else is our mistake and keeps its traceback."""

    @wraps(command)
    def wrapped(session: Session, *args: Any, **kwargs: Any) -> Any:
        from sqlalchemy.exc import InterfaceError, OperationalError

        try:
            return command(session, *args, **kwargs)
        except DeploymentRejected as rejected:
            show_problems(session, rejected.problems)
            click.echo(session.say(T("Nothing was deployed.")), err=True)
        except ValidationFailed as refused:
            click.echo(session.say(refused.message), err=True)
            for path, sentences in refused.errors.items():
                click.echo(f"  {path}: {' '.join(session.say(sentence) for sentence in sentences)}", err=True)
        except EngineError as refused:
            click.echo(session.say(refused.message), err=True)
        except (InterfaceError, OperationalError) as trouble:
            why = str(trouble.orig).strip().splitlines()[0]
            click.echo(session.say(T("The database cannot be used: %(why)s. Check “database” in the settings.", why=why)), err=True)
        sys.exit(2)

    return wrapped


def command(group: click.Group, name: str | None = None) -> Callable[[Callable[..., Any]], click.Command]:
    """A subcommand whose first argument is the :class:`Session` and whose refusals are sentences."""
    return lambda function: group.command(name)(click.pass_obj(refusals_in_words(function)))


@click.group()
@click.option("--config", type=click.Path(path_type=Path), default=Path("config.yaml"), show_default=True, help="The settings file.")
@click.option("-v", "--verbose", is_flag=True, help="Log what happens.")
@click.pass_context
def main(context: click.Context, config: Path, verbose: bool) -> None:
    """Banjie, the case desk: serve it, deploy procedures, look after it."""
    logging.basicConfig(level=logging.INFO if verbose else logging.WARNING, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    context.obj = Session(config)


@command(main)
@click.option("--prepare", "preparing", is_flag=True, help="First do what “banjie prepare” does.")
def serve(session: Session, preparing: bool) -> None:
    """Serve the desk until stopped."""
    from web import server
    from web.app import create_app
    from web.demo_clock import DemoClock

    settings = with_secret(session.settings)
    taken = server.listen(settings)  # first of all, so that a second start stops before it touches anything
    try:
        clock = DemoClock() if settings.demo else None
        engine = session.engine(clock=clock)
        if preparing:
            make_ready(session, engine)
        require_tables(engine)
        app = create_app(settings, engine)
        click.echo(session.say(T("Banjie is ready at %(address)s (Ctrl-C stops it).", address=server.address(settings))))
        if settings.demo:
            announce_demo(session)
        sys.stdout.flush()
        server.run(app, engine, settings, taken)
    finally:
        taken.close()


def require_tables(engine: Any) -> None:
    """Serving an empty database would fail at the first page; say the cure now."""
    from sqlalchemy import inspect

    with engine.reading() as connection:
        if not inspect(connection).has_table("person"):
            raise EngineError("The database has no tables yet. Run “banjie migrate” first.")


def announce_demo(session: Session) -> None:
    """Print the demo accounts, as the loader of the demo organisation names them."""
    from engine.runtime import demo as loader

    click.echo(session.say(T("Demonstration accounts (set “demo: false” before real use):")))
    for account in getattr(loader, "ACCOUNTS", ()):
        click.echo(f"  {account.login:<14} {account.password:<14} {session.say(account.description)}")


@command(main)
def migrate(session: Session) -> None:
    """Create or upgrade the tables."""
    session.engine().migrate()
    click.echo(session.say(T("The database is up to date.")))


@command(main)
@click.argument("paths", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@click.option("--by", default="system", show_default=True, help="Who deploys, for the ledger.")
def deploy(session: Session, paths: tuple[Path, ...], by: str) -> None:
    """Deploy the procedures, decisions, forms and rules in PATHS (files or folders), all or nothing."""
    files = model_files(paths)
    session.engine().deploy(files, by=by)
    click.echo(session.say(T("Deployed %(count)d file(s).", count=len(files))))


@command(main)
@click.argument("paths", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
def lint(session: Session, paths: tuple[Path, ...]) -> None:
    """Check the files in PATHS and print each finding as “file:line: message [rule]”; exit code 1 when there are errors."""
    from engine.runtime.examining import examine

    _ = session.settings  # the settings know the language
    problems = examine(model_files(paths))[1]
    show_problems(session, problems)
    if any(problem.severity == "error" for problem in problems):
        sys.exit(1)


def model_files(paths: Iterable[Path]) -> dict[str, bytes]:
    """The deployable files in ``paths`` by the path they were found at.  Raises :class:`EngineError` when there are none."""
    found: dict[str, bytes] = {}
    for path in paths:
        candidates = sorted(path.rglob("*")) if path.is_dir() else [path]
        for file in candidates:
            if file.is_file() and (file.suffix in MODEL_FILES or not path.is_dir()):
                found[file.as_posix()] = file.read_bytes()
    if not found:
        raise EngineError("There is nothing to deploy: no %(kinds)s file was found.", kinds=", ".join(MODEL_FILES))
    return found


def show_problems(session: Session, problems: Iterable[Any]) -> None:
    for problem in problems:
        place = problem.file if problem.line is None else f"{problem.file}:{problem.line}"
        click.echo(f"{place}: {session.say(problem.message)} [{problem.rule}]", err=problem.severity == "error")


@main.group()
def user() -> None:
    """Accounts."""


@command(user, "add")
@click.argument("login")
@click.option("--name", required=True, help="The person's name.")
@click.option("--section", required=True, help="Code of the section.")
@click.option("--role", "roles", multiple=True, help="A role; may be repeated.")
@click.option("--password-stdin", is_flag=True, help="Read the password from standard input instead of asking for it.")
def add_user(session: Session, login: str, name: str, section: str, roles: tuple[str, ...], password_stdin: bool) -> None:
    """Create the account LOGIN, or change it."""
    if password_stdin:
        password = sys.stdin.readline().rstrip("\r\n")
    else:
        password = click.prompt(session.say(T("Password")), hide_input=True, confirmation_prompt=True)
    from engine.runtime.desk import OPERATOR

    engine = session.engine()
    require_tables(engine)
    # Whoever may run this program may do everything anyway; it also makes the first administrator, before whom there is none.
    engine.desk.people.save_person(login, name=name, section_code=section, roles=roles, password=password, by=OPERATOR)
    click.echo(session.say(T("The account “%(login)s” is ready.", login=login)))


@command(main)
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def organisation(session: Session, file: Path) -> None:
    """Import sections, roles and people from the YAML FILE; what is there already stays as it is.

    The file has the lists "sections" (code, name, kind, parent_code), "roles" (code, name) and "people" (login, name, section, roles,
    title, password).
    """
    import yaml

    from engine.runtime.desk import OPERATOR

    try:
        lists = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as trouble:
        raise EngineError("%(file)s is not YAML: %(why)s", file=str(file), why=str(trouble)) from trouble
    if not isinstance(lists, dict) or not set(lists) <= set(ORGANISATION_ROWS):
        raise EngineError("%(file)s must hold the lists “sections”, “roles” and “people”.", file=str(file))
    for name, needed in ORGANISATION_ROWS.items():
        for number, row in enumerate(lists.get(name) or [], start=1):
            if not isinstance(row, dict) or not needed <= set(row):
                raise EngineError("Row %(number)d of “%(name)s” needs %(needed)s.", number=number, name=name, needed=", ".join(sorted(needed)))
    engine = session.engine()
    require_tables(engine)
    added = engine.desk.people.import_organisation(**{name: lists.get(name) or [] for name in ORGANISATION_ROWS}, by=OPERATOR)
    click.echo(session.say(T("%(count)d people were added.", count=added)))


@command(main)
def demo(session: Session) -> None:
    """Load the demonstration: an organisation, accounts and cases.  What is there already stays as it is."""
    from engine.runtime import demo as loader

    if not session.settings.demo:
        raise EngineError("This is not a demonstration installation: “demo” is false in the settings.")
    loader.load(session.engine())
    click.echo(session.say(T("The demonstration is loaded.")))


@command(main)
def prepare(session: Session) -> None:
    """What a start needs, in one go: tables, the delivered procedures and forms, and the demonstration where it is on."""
    make_ready(session, session.engine())


def make_ready(session: Session, engine: Any) -> None:
    """Migrate, deploy ``processes/`` and ``forms/`` (what is unchanged or the office's own stays as it is), load the demonstration."""
    from engine.runtime.delivered import deliver
    from engine.runtime.design.folder import keep_delivered

    engine.migrate()
    for kept in deliver(engine, model_files([folder for folder in (Path("processes"), Path("forms")) if folder.is_dir()])):
        sentence = T(
            "%(file)s was not deployed: “%(name)s” has a version of your own (%(version)d, by %(by)s). Compare them; “banjie deploy %(file)s” "
            "puts the delivered one in its place.",
            file=kept.file, name=kept.name, version=kept.version, by=kept.by,
        )  # fmt: skip
        click.echo(session.say(sentence))
    # README and scenarios go with the procedures, so that a draft in the browser has them too.
    beside = [file for each in ("*/*.bpmn", "*/procedure.yaml", "*/README.md", "*/scenarios/*.json") for file in sorted(Path("processes").glob(each))]
    keep_delivered(engine.desk, {file.as_posix(): file.read_bytes() for file in beside})
    if session.settings.demo:
        from engine.runtime import demo as loader

        loader.load(engine)


@command(main)
@click.option("--type", "types", multiple=True, help="A job type to do; may be repeated. Without it: all that are set up.")
@click.option("--threads", type=click.IntRange(1, 64), help="Jobs to do at the same time, instead of the setting.")
@click.option("--once", is_flag=True, help="Do the jobs that are there, then stop.")
def worker(session: Session, types: tuple[str, ...], threads: int | None, once: bool) -> None:
    """Do the jobs of the processes, beside or instead of the server, until stopped."""
    from web.cli_worker import work

    work(session, types, threads, once)


@command(main, "refill-search")
def refill_search(session: Session) -> None:
    """Bring all cases to the searchable fields of the procedures in use now, instead of waiting until the nodes have done it."""
    from engine.runtime.casework import terms

    engine = session.engine()
    require_tables(engine)
    click.echo(session.say(T("%(count)d case(s) brought to the searchable fields in use.", count=terms.refill(engine.desk, everything=True))))


cli_operations.add_to(main, command)
cli_procedures.add_to(main, command)


@main.command("version")
def show_version() -> None:
    """Print the version."""
    click.echo(f"banjie {program_version()}")


if __name__ == "__main__":
    main()
