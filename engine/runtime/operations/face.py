"""The operations as methods of :class:`engine.Engine`.

Every command takes who does it (``by``), why (``reason``) and from where (``address``), and leaves a row in the audit.  Whether
that person may do it, the caller has to see to.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection

from engine.runtime import instances
from engine.runtime.operations import batches, definitions, deletion, history, incidents, migration, moving, planning, restarting, variables
from engine.runtime.operations.values import (
    Batch,
    BatchItem,
    CleanUp,
    LiveToken,
    MigrationCheck,
    MigrationPlan,
    Target,
    VariableChange,
)
from engine.runtime.types import Incident, Instance

if TYPE_CHECKING:
    from engine.runtime.catalogue import Catalogue

Ids = int | str


class Operations:
    """Mixed into the engine, which provides what is named here."""

    clock: Callable[[], datetime]
    catalogue: Catalogue
    command: Callable[..., Any]
    reading: Callable[[], AbstractContextManager[Connection]]

    # --- definitions -----------------------------------------------------------------------------------------------------

    def suspend_definition(
        self,
        process_id: str,
        version: int | None = None,
        include_instances: bool = False,
        *,
        by: str | None = None,
        reason: str | None = None,
        address: str | None = None,
    ) -> int:
        """Let a version (all without ``version``) start nothing until it is resumed; gives how many were suspended."""
        return self._suspend_definition(process_id, version, include_instances, True, by, reason, address)

    def resume_definition(
        self,
        process_id: str,
        version: int | None = None,
        include_instances: bool = False,
        *,
        by: str | None = None,
        reason: str | None = None,
        address: str | None = None,
    ) -> int:
        """Let a suspended version start again; gives how many were resumed."""
        return self._suspend_definition(process_id, version, include_instances, False, by, reason, address)

    def _suspend_definition(self, process_id, version, include_instances, suspended, by, reason, address) -> int:
        changed = self.command(
            lambda unit: definitions.set_suspended(unit, process_id, version, include_instances, suspended, reason), by=by, address=address
        )
        self.catalogue.forget()
        return changed

    # --- instances -------------------------------------------------------------------------------------------------------

    def cancel(self, instance_key: int, by: str | None = None, reason: str | None = None, address: str | None = None) -> Instance:
        """End an instance and what it called; open tasks, jobs and timers end with it."""
        return self.command(lambda unit: instances.cancel(unit, instance_key, reason), by=by, address=address)

    def suspend(self, instance_key: int, by: str | None = None, reason: str | None = None, address: str | None = None) -> Instance:
        """Hold an instance and what it called: nothing moves until :meth:`resume`."""
        return self.command(lambda unit: instances.set_suspended(unit, instance_key, True, reason), by=by, address=address)

    def resume(self, instance_key: int, by: str | None = None, reason: str | None = None, address: str | None = None) -> Instance:
        """Let a suspended instance go on."""
        return self.command(lambda unit: instances.set_suspended(unit, instance_key, False, reason), by=by, address=address)

    def set_variables(
        self,
        instance_key: int,
        values: Mapping[str, Any],
        scope: Ids | None = None,
        *,
        by: str | None = None,
        reason: str | None = None,
        address: str | None = None,
    ) -> Instance:
        """Write variables of a running instance.  See :func:`engine.runtime.operations.variables.set_variables`."""
        return self.command(lambda unit: variables.set_variables(unit, instance_key, values, scope, reason), by=by, address=address)

    def variable_changes(self, instance_key: int, limit: int = 1000) -> list[VariableChange]:
        """What the variables of an instance became, oldest first; kept at history level ``full`` only."""
        with self.reading() as conn:
            return variables.changes(conn, instance_key, limit)

    def tokens(self, instance_key: int) -> list[LiveToken]:
        """Where an instance stands, outer scopes first.  Raises :class:`NotFound`."""
        with self.reading() as conn:
            return variables.tokens(self, conn, instance_key)

    def move_targets(self, instance_key: int) -> list[Target]:
        """The elements before which :meth:`move` may start a token now."""
        with self.reading() as conn:
            return moving.targets(self, conn, instance_key)

    def move(
        self,
        instance_key: int,
        cancel: Sequence[Ids] = (),
        start: Sequence[str] = (),
        variables: Mapping[str, Any] | None = None,
        *,
        by: str | None = None,
        reason: str | None = None,
        address: str | None = None,
    ) -> Instance:
        """Cancel tokens and start others in one step.  See :func:`engine.runtime.operations.moving.move`."""
        return self.command(lambda unit: moving.move(unit, instance_key, cancel, start, variables, reason), by=by, address=address)

    def restart(
        self,
        instance_key: int,
        at: Sequence[str] | None = None,
        variables: Mapping[str, Any] | None = None,
        *,
        by: str | None = None,
        reason: str | None = None,
        address: str | None = None,
    ) -> Instance:
        """Start a new instance like an ended one.  See :func:`engine.runtime.operations.restarting.restart`."""
        return self.command(lambda unit: restarting.restart(unit, instance_key, at, variables, reason), by=by, address=address)

    def delete_instance(
        self, instance_key: int, force: bool = False, *, by: str | None = None, reason: str | None = None, address: str | None = None
    ) -> dict[str, int]:
        """Delete an ended case for good; gives table → deleted rows.  See :func:`engine.runtime.operations.deletion.delete_instance`."""
        return self.command(lambda unit: deletion.delete_instance(unit, instance_key, force, reason), by=by, address=address)

    # --- incidents -------------------------------------------------------------------------------------------------------

    def incidents(
        self, instance_key: int | None = None, open: bool | None = True, limit: int = 1000, process_id: str | None = None
    ) -> list[Incident]:
        """Incidents, oldest first; open ones unless ``open`` is ``False`` (resolved) or ``None`` (all)."""
        with self.reading() as conn:
            return incidents.find(conn, instance_key, open, limit, process_id)

    def incident(self, incident_key: int) -> Incident:
        """One incident; its ``details["stack"]`` says where, outermost first.  Raises :class:`NotFound`."""
        with self.reading() as conn:
            return incidents.get(self, conn, incident_key)

    def retry_incident(
        self, incident_key: int, retries: int | None = None, *, by: str | None = None, reason: str | None = None, address: str | None = None
    ) -> Incident:
        """Try again what failed; gives the incident as resolved.  See :func:`engine.runtime.operations.incidents.retry`."""
        return self.command(lambda unit: incidents.retry(unit, incident_key, retries, reason), by=by, address=address)

    def retry_incidents(
        self, instance_key: int, retries: int | None = None, *, by: str | None = None, reason: str | None = None, address: str | None = None
    ) -> int:
        """Try again at every open incident of an instance; gives their number."""
        return self.command(lambda unit: incidents.retry_all(unit, instance_key, retries, reason), by=by, address=address)

    # --- migration -------------------------------------------------------------------------------------------------------

    def plan_migration(self, process_id: str, from_version: int, to_version: int, mapping: Mapping[str, str] | None = None) -> MigrationPlan:
        """How tokens of one version find their places in another.  See :func:`engine.runtime.operations.planning.plan`."""
        with self.reading() as conn:
            return planning.plan(self, conn, process_id, from_version, to_version, mapping)

    def check_migration(
        self, plan: MigrationPlan, instance_keys: Collection[int] | None = None, limit: int = 100
    ) -> list[MigrationCheck]:
        """Whether each instance (all running ones of the version without keys, up to ``limit``) can follow the plan now."""
        with self.reading() as conn:
            return migration.check(self, conn, plan, instance_keys, limit)

    def migrate_instance(
        self, plan: MigrationPlan, instance_key: int, *, by: str | None = None, reason: str | None = None, address: str | None = None
    ) -> Instance:
        """Bring one instance to the new version, at once."""
        return self.command(lambda unit: migration.migrate_instance(unit, plan, instance_key, reason), by=by, address=address)

    def migrate_many(
        self,
        plan: MigrationPlan,
        instance_keys: Iterable[int] | None = None,
        *,
        by: str | None = None,
        reason: str | None = None,
        address: str | None = None,
    ) -> Batch:
        """Bring many instances, or all that run in the old version, to the new one, as a batch."""
        with self.reading() as conn:
            migration.pairing_of(self, conn, plan)
            keys = migration.running_keys(conn, plan) if instance_keys is None else list(instance_keys)
        return self._batch("migrate", keys, {"plan": plan.to_dict()}, by, reason, address)

    # --- batches ---------------------------------------------------------------------------------------------------------

    def _batch(self, kind: str, keys: Iterable[int], parameters: dict[str, Any], by, reason, address) -> Batch:
        return self.command(lambda unit: batches.make(unit, kind, keys, {**parameters, "reason": reason}), by=by, address=address)

    def cancel_many(
        self, instance_keys: Iterable[int], *, by: str | None = None, reason: str | None = None, address: str | None = None
    ) -> Batch:
        """:meth:`cancel` for many."""
        return self._batch("cancel", instance_keys, {}, by, reason, address)

    def suspend_many(
        self, instance_keys: Iterable[int], *, by: str | None = None, reason: str | None = None, address: str | None = None
    ) -> Batch:
        """:meth:`suspend` for many."""
        return self._batch("suspend", instance_keys, {}, by, reason, address)

    def resume_many(
        self, instance_keys: Iterable[int], *, by: str | None = None, reason: str | None = None, address: str | None = None
    ) -> Batch:
        """:meth:`resume` for many."""
        return self._batch("resume", instance_keys, {}, by, reason, address)

    def retry_many(
        self,
        instance_keys: Iterable[int],
        retries: int | None = None,
        *,
        by: str | None = None,
        reason: str | None = None,
        address: str | None = None,
    ) -> Batch:
        """:meth:`retry_incidents` for many."""
        return self._batch("retry", instance_keys, {"retries": retries}, by, reason, address)

    def delete_many(
        self,
        instance_keys: Iterable[int],
        force: bool = False,
        *,
        by: str | None = None,
        reason: str | None = None,
        address: str | None = None,
    ) -> Batch:
        """:meth:`delete_instance` for many."""
        return self._batch("delete", instance_keys, {"force": force}, by, reason, address)

    def batch(self, batch_key: int) -> Batch:
        """One batch.  Raises :class:`NotFound`."""
        with self.reading() as conn:
            return batches.get(conn, batch_key)

    def batches(self, limit: int = 50, state: str | None = None) -> list[Batch]:
        """Batches, newest first."""
        with self.reading() as conn:
            return batches.find(conn, limit, state)

    def batch_items(self, batch_key: int, state: str | None = None, limit: int = 100) -> list[BatchItem]:
        """The items of a batch; ``state`` OPEN, DONE or FAILED."""
        with self.reading() as conn:
            return batches.items(conn, batch_key, state, limit)

    def cancel_batch(self, batch_key: int, *, by: str | None = None, reason: str | None = None, address: str | None = None) -> Batch:
        """Stop a running batch; what is done stays done."""
        return self.command(lambda unit: batches.cancel(unit, batch_key, reason), by=by, address=address)

    def run_batches(self, limit: int | None = None) -> int:
        """Work off a slice of the running batches; gives how many items were ended.  ``run_due`` does it too."""
        return batches.run(self, limit)

    # --- clean-up --------------------------------------------------------------------------------------------------------

    def clean_up(self, limit: int | None = None) -> int:
        """Delete cases past their removal date; gives how many."""
        return history.clean_up(self, limit)

    def clean_up_waiting(self) -> CleanUp:
        """How much the clean-up has before it."""
        with self.reading() as conn:
            return history.waiting(self, conn)

    def run_operations(self, limit: int | None = None) -> int:
        """Work off a slice of the batches and of the clean-up; gives how many items and cases.  Called by ``run_due``."""
        done = batches.run(self, limit)
        left = history.CLEAN_UP_SLICE if limit is None else min(history.CLEAN_UP_SLICE, limit - done)
        return done + (history.clean_up(self, left) if left > 0 else 0)
