"""Undoing what was completed: compensation and cancelled transactions (BPMN 2.0 §10.7, §13.4.3, §13.5.5).

A scope remembers (under ``completed``), in the order of completion, which of its activities can be undone.  A record is
``{"e": element, "s": scope}``, with what is known of the item (``d``) for one run of a repeated activity; that of a sub-process
without a handler of its own also carries its variables as they were (``d``) and its inner records (``c``), because its contents are
undone in a scope that is opened again for it; ``o`` marks one that was not yet completed, so that only its contents can be undone.
Undoing goes backwards, one record at a time.
The token that waits for it, the *runner*, keeps what is left in its memory under ``undo``; a token that does the undoing names its
runner under ``for``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from SpiffWorkflow.util.task import TaskState

from engine.bpmn.elements import ElementFailure, FlowNode
from engine.words import T

if TYPE_CHECKING:
    from engine.bpmn.execution import Token

Record = dict[str, Any]


class Compensating:
    """The part of an execution that remembers and undoes."""

    def remember(self, token: Token) -> None:
        """``token``'s activity is completed: keep what is needed to undo it."""
        spec, scope, inner = token.task_spec, token.scope, token.internal_data.get("completed")
        records: list[Record] = []
        if getattr(scope.task_spec, "inner", None) is spec and scope.task_spec.compensation_handler is not None:
            # The handler of a repeated activity runs once for each of its instances (§10.7.2).
            records = [{"e": scope.task_spec.name, "d": _item_of(token)}]
        elif spec.compensation_handler is not None:
            records = (inner or []) if hasattr(spec, "inner") else [{"e": spec.name}]
        elif inner or compensation_start(spec) is not None:
            data = {**_item_of(token), **token.data} if hasattr(scope.task_spec, "inner") else dict(token.data)
            records = [{"e": spec.name, "d": data, "c": inner or []}]
        if records:
            scope.internal_data.setdefault("completed", []).extend(records)

    def throw_compensation(self, token: Token, activity: str | None, wait: bool) -> bool | None:
        """Undo ``activity``, or all completed activities of the scope in which ``token`` throws; ``True`` to go on at once."""
        records = self._records_for(token, activity)
        if not records:
            return True
        if wait:
            self._undo(token, records)
            return None
        runner = self.make_token(token.task_spec, token.scope)
        runner._state = TaskState.STARTED
        runner.internal_data["unseen"] = True
        self._undo(runner, records)
        return True

    def _records_for(self, token: Token, activity: str | None) -> list[Record]:
        """Take the records that a throw event can see out of their scopes, in the order of completion."""
        scope = token.scope
        scopes = [scope]
        if scope.task_spec.element_type == "eventSubProcess":
            # Thrown inside an event sub-process, a compensation is meant for the scope that contains it (§10.5.6).
            scopes.append(scope.parent)
        if activity is not None:
            while scopes[-1].parent is not None:
                scopes.append(scopes[-1].parent)
        taken: list[Record] = []
        for place in scopes:
            completed = place.internal_data.get("completed", ())
            # Who names the sub-process it stands in means what that has completed: “the current activity” (§10.7.2).
            everything = activity is None or (place.task_spec.bpmn_id == activity and not hasattr(place.task_spec, "inner"))
            found = [{**record, "s": place.id} for record in completed if everything or record["e"] == activity]
            if found:
                place.internal_data["completed"] = [] if everything else [record for record in completed if record["e"] != activity]
                # What an event sub-process has completed came after what the scope around it had.
                taken = found + taken
                if activity is not None:
                    break
        return taken

    def _undo(self, runner: Token, records: list[Record]) -> None:
        runner.internal_data["undo"] = records
        self._undo_next(runner)

    def _undo_next(self, runner: Token) -> None:
        records: list[Record] = runner.internal_data["undo"]
        while records:
            record = records.pop()
            element, scope = self.spec.task_specs[record["e"]], self.tasks.get(record["s"])
            if scope is None:
                continue
            if "c" not in record:
                token = self.make_token(element.compensation_handler, scope)
                token.data.update(record.get("d") or {})
                token.internal_data["for"] = runner.id
                token._ready()
                return
            again = self.make_token(element, scope)
            again._state = TaskState.STARTED
            again.data.update(record["d"])
            again.internal_data.update({"for": runner.id, "undoing": True})
            start = None if record.get("o") else compensation_start(element)
            if start is not None:
                again.internal_data["completed"] = record["c"]
                start.fire(self, again, {})
            else:
                self._undo(again, [{**inner, "s": again.id} for inner in record["c"]])
            return
        del runner.internal_data["undo"]
        self._undone(runner)

    def _undone(self, runner: Token) -> None:
        memory = runner.internal_data
        if memory.pop("cancelling", None):
            self._leave_cancelled(runner)
        elif memory.get("undoing"):
            # What the boundary event of a handler has begun goes on first; the last of it completes the scope.
            if not runner._children:
                self.undoing_done(runner)
        elif memory.get("unseen"):
            scope = runner.scope
            self.discard(runner)
            self.check_scope(scope)
        else:
            self.attempt(runner, lambda: runner.task_spec.go_on(runner))

    def undoing_done(self, token: Token) -> None:
        """A compensation handler, or a sub-process opened again to be undone, has finished: its runner undoes the next."""
        runner, scope = self.tasks.get(token.internal_data["for"]), token.scope
        self._finished(token, "COMPLETED")
        self.discard(token)
        if runner is not None:
            self._undo_next(runner)
        else:
            self.check_scope(scope)

    def undo_rest(self, handler: Token) -> None:
        """``handler`` was interrupted by an event on its border: its runner undoes the next."""
        runner = self.tasks.get(handler.internal_data.get("for"))
        if runner is not None and "undo" in runner.internal_data:
            self._undo_next(runner)

    # --- transactions ----------------------------------------------------------------------------------------------------

    def throw_cancel(self, token: Token) -> None:
        """Cancel the transaction around ``token``: end what still runs in it, undo what was completed, leave by its cancel event
        (BPMN 2.0 §10.3.5, §13.5.3)."""
        transaction = token.scope
        while transaction is not None and transaction.task_spec.element_type != "transaction":
            transaction = transaction.parent
        if transaction is None or self._cancel_event(transaction) is None:
            raise ElementFailure(
                "CANCEL_ERROR",
                T("“%(label)s” cancels, but no transaction with a cancel boundary event is around it.", label=token.task_spec.label),
            )
        self._finished(token, "COMPLETED")
        records = self._collect(transaction)
        self.discard(token)
        self.terminate_contents(transaction)
        self.close_waits(transaction)
        self.close_waits(self._host_of(transaction))
        self.interrupted.add(transaction.id)
        transaction.internal_data.pop("completed", None)
        transaction.internal_data["cancelling"] = True
        self._undo(transaction, [{**record, "s": transaction.id} for record in records])

    def _collect(self, scope: Token) -> list[Record]:
        """What was completed in ``scope`` and in the sub-processes that still run in it."""
        records = list(scope.internal_data.get("completed", ()))
        for child in scope.children:
            inner = self._collect(child)
            if inner and child.task_spec.compensation_handler is not None and hasattr(child.task_spec, "inner"):
                # The completed runs of a repeated activity, each with the activity's handler; then what its running ones had done.
                records += [record for record in inner if "c" not in record]
                inner = [record for record in inner if "c" in record]
            if inner:
                records.append({"e": child.task_spec.name, "d": dict(child.data), "c": inner, "o": 1})
        return records

    @staticmethod
    def _host_of(transaction: Token) -> Token:
        """The token that carries the boundary events: the transaction's, or its multi-instance or loop body's."""
        parent = transaction.parent
        return parent if getattr(parent.task_spec, "inner", None) is transaction.task_spec else transaction

    def _cancel_event(self, transaction: Token) -> FlowNode | None:
        events = self._host_of(transaction).task_spec.boundaries
        return next((event for event in events if any(its.kind == "cancel" for its in event.definitions)), None)

    def _leave_cancelled(self, transaction: Token) -> None:
        event = self._cancel_event(transaction)
        event.fire(self, self._host_of(transaction), {})


def _item_of(token: Token) -> dict[str, Any]:
    """What tells one run of a repeated activity from the others: its number and its item."""
    loop = getattr(token.scope.task_spec, "loop", None)
    names = ("loopCounter", loop.input_element if loop else None)
    return {name: data[name] for name in names for data in (token.scope.data, token.data) if name in data}


def compensation_start(spec: FlowNode) -> FlowNode | None:
    """The start event of the compensation event sub-process in ``spec``, if it has one."""
    for sub in spec.event_subprocesses:
        if sub.start is not None and any(its.kind == "compensate" for its in sub.start.definitions):
            return sub.start
    return None
