"""``banjie definition | instances | incident | batch | clean-up``: what administrators do to cases, from the command line.

Each verb is one method of :class:`engine.Engine`; the audit names who ran it (``--by``).
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from engine.errors import EngineError, ValidationFailed
from engine.words import T

if TYPE_CHECKING:
    from web.cli import Session

Command = Callable[..., Callable[[Callable[..., Any]], click.Command]]


def add_to(main: click.Group, command: Command) -> None:
    """Add the verbs to the program; ``command`` is how it makes one (:func:`web.cli.command`)."""
    for name, help, verbs in (
        ("definition", "Deployed processes: suspend, resume.", DEFINITION),
        ("instances", "Cases and the instances they are made of.", INSTANCES),
        ("incident", "What cases cannot get past by themselves.", INCIDENT),
        ("batch", "Operations over many instances.", BATCH),
    ):
        group = click.Group(name, help=help)
        main.add_command(group)
        for verb, function in verbs.items():
            command(group, verb)(function)
    command(main, "clean-up")(clean_up)


@contextmanager
def opened(session: Session) -> Iterator[Any]:
    """The engine, in the time that the desk shows."""
    from web.cli import require_tables
    from web.demo_clock import DemoClock

    clock = DemoClock() if session.settings.demo else None
    engine = session.engine(clock=clock)
    try:
        require_tables(engine)
        if clock is not None:
            clock.follow(partial(_demo_offset, engine))
        yield engine
    finally:
        engine.dispose()


def _demo_offset(engine: Any) -> int:
    from engine.runtime import administration

    with engine.reading() as conn:
        return administration.clock_offset(conn)


def accountable(function: Callable[..., Any]) -> Callable[..., Any]:
    """The options of every verb that changes something."""
    function = click.option("--reason", help="Why, for the ledger.")(function)
    return click.option("--by", default="banjie", show_default=True, help="Who does it, for the ledger.")(function)


keys = click.argument("keys", nargs=-1, required=True, type=int)
key = click.argument("key", type=int)


def table(session: Session, heads: Sequence[Any], rows: Iterable[Sequence[Any]]) -> None:
    """Print columns that a program can split at tabs; nothing but a sentence when there are none."""
    rows = list(rows)
    if not rows:
        click.echo(session.say(T("There is none.")))
        return
    click.echo("\t".join(session.say(head) for head in heads))
    for row in rows:
        click.echo("\t".join("" if cell is None else " ".join(str(cell).split()) for cell in row))


def values_of(pairs: Iterable[str]) -> dict[str, Any]:
    """``name=JSON`` as a dictionary; what is no JSON is meant as text.  Raises :class:`ValidationFailed`."""
    found: dict[str, Any] = {}
    for pair in pairs:
        name, mark, text = pair.partition("=")
        if not mark or not name:
            raise ValidationFailed("“%(pair)s” must have the form name=value.", pair=pair)
        try:
            found[name] = json.loads(text)
        except ValueError:
            found[name] = text
    return found


def one_by_one(session: Session, keys: Sequence[int], action: Callable[[int], Any], done: Callable[[Any], str]) -> None:
    """Do ``action`` with each key; a refusal is said and the others go on; exit code 2 when there was one."""
    refusals = 0
    for its in keys:
        try:
            click.echo(done(action(its)))
        except EngineError as refused:
            refusals += 1
            click.echo(f"{its}: {session.say(refused.message)}", err=True)
    if refusals:
        sys.exit(2)


def _state(instance: Any) -> str:
    return f"{instance.key}\t{instance.state}"


# --- definitions -----------------------------------------------------------------------------------------------------------------


@click.argument("process")
@click.option("--version", type=int, help="Only this version.")
@click.option("--instances", "include", is_flag=True, help="Hold its running instances too.")
@accountable
def suspend_definition(session: Session, process: str, version: int | None, include: bool, by: str, reason: str | None) -> None:
    """Let PROCESS start nothing until it is resumed."""
    with opened(session) as engine:
        count = engine.suspend_definition(process, version, include, by=by, reason=reason)
    click.echo(session.say(T("%(count)d version(s) were suspended.", count=count)))


@click.argument("process")
@click.option("--version", type=int, help="Only this version.")
@click.option("--instances", "include", is_flag=True, help="Let its held instances go on too.")
@accountable
def resume_definition(session: Session, process: str, version: int | None, include: bool, by: str, reason: str | None) -> None:
    """Let a suspended PROCESS start again."""
    with opened(session) as engine:
        count = engine.resume_definition(process, version, include, by=by, reason=reason)
    click.echo(session.say(T("%(count)d version(s) were resumed.", count=count)))


# --- instances -------------------------------------------------------------------------------------------------------------------


@click.option("--process", help="Only instances of this process.")
@click.option("--state", type=click.Choice(["ACTIVE", "SUSPENDED", "COMPLETED", "TERMINATED"]), help="Only in this state.")
@click.option("--business-key", help="Only with this business key.")
@click.option("--limit", type=click.IntRange(1, 100_000), default=100, show_default=True, help="At most so many, the oldest.")
def list_instances(session: Session, process: str | None, state: str | None, business_key: str | None, limit: int) -> None:
    """List instances, oldest first."""
    with opened(session) as engine:
        found = engine.instances(process, state, business_key, limit)
    heads = (T("Key"), T("Process"), T("Version"), T("State"), T("Business key"), T("Started"), T("Ended"))
    rows = [(one.key, one.process_id, one.version, one.state, one.business_key, one.started_at, one.ended_at) for one in found]
    table(session, heads, rows)


@key
def show_instance(session: Session, key: int) -> None:
    """Show an instance as JSON: its state, its variables, where it stands, and its open incidents."""
    with opened(session) as engine:
        one = engine.instance(key)
        shown = {
            "key": one.key,
            "process": one.process_id,
            "version": one.version,
            "state": one.state,
            "business_key": one.business_key,
            "parent": one.parent_key,
            "root": one.root_key,
            "started": one.started_at,
            "ended": one.ended_at,
            "variables": one.variables,
            "tokens": [
                {"id": token.id, "element": token.element_id, "label": token.label, "type": token.element_type, "scope": token.scope,
                 "incident": token.incident, "waits": token.waits, "variables": token.variables}
                for token in engine.tokens(key)
            ],
            "incidents": [{"key": item.key, "element": item.element_id, "type": item.type, "message": item.message} for item in engine.incidents(key)],
        }  # fmt: skip
    click.echo(json.dumps(shown, ensure_ascii=False, indent=2, default=str))


@keys
@accountable
def suspend(session: Session, keys: tuple[int, ...], by: str, reason: str | None) -> None:
    """Hold the instances KEYS and what they called."""
    with opened(session) as engine:
        one_by_one(session, keys, lambda its: engine.suspend(its, by=by, reason=reason), _state)


@keys
@accountable
def resume(session: Session, keys: tuple[int, ...], by: str, reason: str | None) -> None:
    """Let the held instances KEYS go on."""
    with opened(session) as engine:
        one_by_one(session, keys, lambda its: engine.resume(its, by=by, reason=reason), _state)


@keys
@accountable
def cancel(session: Session, keys: tuple[int, ...], by: str, reason: str | None) -> None:
    """End the instances KEYS and what they called."""
    with opened(session) as engine:
        one_by_one(session, keys, lambda its: engine.cancel(its, by=by, reason=reason), _state)


@keys
@click.option("--force", is_flag=True, help="Running ones too.")
@click.confirmation_option(prompt="Deleted cases cannot be brought back. Delete them?")
@accountable
def delete(session: Session, keys: tuple[int, ...], force: bool, by: str, reason: str | None) -> None:
    """Delete the ended cases KEYS with all their rows, for good."""
    with opened(session) as engine:
        one_by_one(
            session,
            keys,
            lambda its: sum(engine.delete_instance(its, force, by=by, reason=reason).values()),
            lambda count: session.say(T("%(count)d row(s) were deleted.", count=count)),
        )


@key
@click.argument("values", nargs=-1, required=True)
@click.option("--scope", help="An element or token that runs now; without it the instance itself.")
@accountable
def set_variables(session: Session, key: int, values: tuple[str, ...], scope: str | None, by: str, reason: str | None) -> None:
    """Write variables: VALUES are name=JSON."""
    with opened(session) as engine:
        click.echo(_state(engine.set_variables(key, values_of(values), scope, by=by, reason=reason)))


@key
@click.option("--cancel", "cancelled", multiple=True, help="An element or token to cancel; may be repeated.")
@click.option("--start", "started", multiple=True, help="An element to start before (element@token inside a repeated scope); may be repeated.")
@click.option("--set", "values", multiple=True, help="A variable, name=JSON; may be repeated.")
@accountable
def move(
    session: Session, key: int, cancelled: tuple[str, ...], started: tuple[str, ...], values: tuple[str, ...], by: str, reason: str | None
) -> None:
    """Cancel tokens of the instance KEY and start others, in one step."""
    with opened(session) as engine:
        click.echo(_state(engine.move(key, cancelled, started, values_of(values), by=by, reason=reason)))


@key
@click.option("--at", multiple=True, help="An element to start before, instead of the start; may be repeated.")
@click.option("--set", "values", multiple=True, help="A variable, name=JSON, instead of all of the old instance; may be repeated.")
@accountable
def restart(session: Session, key: int, at: tuple[str, ...], values: tuple[str, ...], by: str, reason: str | None) -> None:
    """Start a new instance like the ended one KEY."""
    with opened(session) as engine:
        click.echo(_state(engine.restart(key, list(at) or None, values_of(values) if values else None, by=by, reason=reason)))


@click.argument("process")
@click.option("--from", "old", type=int, required=True, help="The version they run in.")
@click.option("--to", "new", type=int, required=True, help="The version they are to run in.")
@click.option("--map", "pairs", multiple=True, help="An element and what it becomes, old=new; may be repeated. “old=” takes a pair away.")
@click.option("--instance", "chosen", type=int, multiple=True, help="Only this instance; may be repeated.")
@click.option("--check", is_flag=True, help="Only say what would happen.")
@accountable
def migrate(
    session: Session, process: str, old: int, new: int, pairs: tuple[str, ...], chosen: tuple[int, ...], check: bool, by: str, reason: str | None
) -> None:
    """Bring running instances of PROCESS to another version; without --instance all of the version, as a batch."""
    mapping = {}
    for pair in pairs:
        before, mark, after = pair.partition("=")
        if not mark:
            raise ValidationFailed("“%(pair)s” must have the form old=new.", pair=pair)
        mapping[before] = after
    with opened(session) as engine:
        plan = engine.plan_migration(process, old, new, mapping)
        for problem in plan.problems:
            click.echo(f"{problem.severity}: {problem.element_id}: {session.say(problem.message)}", err=True)
        if not plan.sound:
            sys.exit(2)
        if check:
            checks = engine.check_migration(plan, chosen or None, limit=100_000)
            rows = [(one.instance_key, "; ".join(session.say(problem.message) for problem in one.problems) or "–") for one in checks]
            table(session, (T("Key"), T("Problems")), rows)
            if not all(one.ok for one in checks):
                sys.exit(1)
        elif chosen:
            one_by_one(session, chosen, lambda its: engine.migrate_instance(plan, its, by=by, reason=reason), _state)
        else:
            batch = engine.migrate_many(plan, by=by, reason=reason)
            click.echo(session.say(T("Batch %(key)s of %(total)d instance(s) was made; see “banjie batch show”.", key=batch.key, total=batch.total)))


# --- incidents -------------------------------------------------------------------------------------------------------------------


@click.option("--instance", type=int, help="Only of this instance.")
@click.option("--process", help="Only of this process.")
@click.option("--all", "resolved_too", is_flag=True, help="Resolved ones too.")
@click.option("--limit", type=click.IntRange(1, 100_000), default=100, show_default=True, help="At most so many, the oldest.")
def list_incidents(session: Session, instance: int | None, process: str | None, resolved_too: bool, limit: int) -> None:
    """List open incidents, oldest first."""
    with opened(session) as engine:
        found = engine.incidents(instance, None if resolved_too else True, limit, process)
    heads = (T("Key"), T("Instance"), T("Process"), T("Element"), T("Type"), T("Since"), T("Resolved"), T("Message"))
    rows = [(one.key, one.instance_key, one.process_id, one.element_id, one.type, one.created_at, one.resolved_at, one.message) for one in found]
    table(session, heads, rows)


@key
def show_incident(session: Session, key: int) -> None:
    """Show an incident as JSON, with the stack of calls and scopes that lead to it."""
    with opened(session) as engine:
        one = engine.incident(key)
    click.echo(json.dumps({name: getattr(one, name) for name in one.__dataclass_fields__}, ensure_ascii=False, indent=2, default=str))


@keys
@click.option("--retries", type=click.IntRange(1, 1_000_000), help="Tries that a failed job gets.")
@accountable
def retry(session: Session, keys: tuple[int, ...], retries: int | None, by: str, reason: str | None) -> None:
    """Try again what failed in the incidents KEYS."""
    with opened(session) as engine:
        said = session.say(T("tried again"))
        one_by_one(session, keys, lambda its: engine.retry_incident(its, retries, by=by, reason=reason), lambda one: f"{one.key}\t{said}")


# --- batches and the clean-up ----------------------------------------------------------------------------------------------------


@click.option("--limit", type=click.IntRange(1, 100_000), default=20, show_default=True, help="At most so many, the newest.")
def list_batches(session: Session, limit: int) -> None:
    """List batches, newest first."""
    with opened(session) as engine:
        found = engine.batches(limit)
    heads = (T("Key"), T("Operation"), T("State"), T("Total"), T("Done"), T("Failed"), T("Made"), T("By"))
    table(session, heads, [(one.key, one.kind, one.state, one.total, one.done, one.failed, one.created_at, one.created_by) for one in found])


@key
@click.option("--all", "all_items", is_flag=True, help="All items, not only those that failed.")
def show_batch(session: Session, key: int, all_items: bool) -> None:
    """Show how far a batch is, and which of its items failed and why."""
    with opened(session) as engine:
        one = engine.batch(key)
        items = engine.batch_items(key, None if all_items else "FAILED", limit=100_000)
    click.echo(
        session.say(T("%(kind)s: %(state)s, %(done)d done, %(failed)d failed, %(open)d to do.", kind=one.kind, state=one.state, done=one.done, failed=one.failed, open=one.open))
    )
    for item in items:
        click.echo("\t".join((str(item.instance_key), item.state, item.message or "")))


@key
@accountable
def cancel_batch(session: Session, key: int, by: str, reason: str | None) -> None:
    """Stop a running batch; what is done stays done."""
    with opened(session) as engine:
        one = engine.cancel_batch(key, by=by, reason=reason)
    click.echo(f"{one.key}\t{one.state}")


def run_batches(session: Session) -> None:
    """Work off the running batches now, without waiting for the server."""
    done = 0
    with opened(session) as engine:
        while count := engine.run_batches():
            done += count
    click.echo(session.say(T("%(count)d item(s) were worked off.", count=done)))


@click.option("--check", is_flag=True, help="Only say how much is waiting.")
@click.option("--limit", type=click.IntRange(1), help="At most so many cases.")
def clean_up(session: Session, check: bool, limit: int | None) -> None:
    """Delete cases past their removal date; the server does the same little by little."""
    with opened(session) as engine:
        if not check:
            click.echo(session.say(T("%(count)d case(s) were deleted.", count=engine.clean_up(limit))))
        waiting = engine.clean_up_waiting()
    click.echo(
        session.say(
            T("%(due)d case(s) are past their removal date, %(dated)d have one to come (first: %(next)s).",
              due=waiting.due, dated=waiting.dated, next=waiting.next_at or "–")
        )
    )  # fmt: skip


DEFINITION = {"suspend": suspend_definition, "resume": resume_definition}
INSTANCES = {
    "list": list_instances,
    "show": show_instance,
    "suspend": suspend,
    "resume": resume,
    "cancel": cancel,
    "delete": delete,
    "set": set_variables,
    "move": move,
    "restart": restart,
    "migrate": migrate,
}
INCIDENT = {"list": list_incidents, "show": show_incident, "retry": retry}
BATCH = {"list": list_batches, "show": show_batch, "cancel": cancel_batch, "run": run_batches}
