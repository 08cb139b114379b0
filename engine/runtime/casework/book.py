"""What the desk reads from deployments: procedure sheets, the deadline rule table and the ladders."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

from sqlalchemy import Connection

from engine.deadlines import Ladder, Rule
from engine.deadlines.monitoring_rules import MonitoringSheet
from engine.deadlines.rules import RuleTable
from engine.errors import NotFound
from engine.runtime.sheets import Sheet

DEFAULT_LADDER = "standard"


class Book:
    """The newest versions, as the catalogue has them; asking costs no statement while the catalogue is fresh."""

    def __init__(self, catalogue: Any, conn: Connection | None) -> None:
        self._catalogue, self._conn = catalogue, conn

    def procedure(self, process_id: str) -> tuple[int, Sheet] | None:
        """Definition key and sheet of a process; ``None`` when it has no sheet and so makes no case."""
        found = self._catalogue.find("procedure", process_id, conn=self._conn)
        return (found.key, found.model) if found is not None and found.model is not None else None

    def procedures(self) -> list[Sheet]:
        """All sheets, by process id."""
        return [sheet for _, sheet in self.sheets.values()]

    @property
    def sheets(self) -> Mapping[str, tuple[int, Sheet]]:
        """Process id → definition key and sheet, of every procedure."""
        found = self._catalogue.latest("procedure", conn=self._conn)
        return {each.model.process: (each.key, each.model) for each in found if each.model is not None}

    def sheet(self, definition_key: int) -> Sheet | None:
        """The sheet of one definition row, whichever version: a case keeps the one it was opened under."""
        try:
            return self._catalogue.get(definition_key, conn=self._conn).model
        except NotFound:
            return None

    @property
    def rules(self) -> RuleTable:
        """The rule table; by id the newest version of each rule, even one that is not in force yet (see :meth:`rule`)."""
        found = self._catalogue.find("rules", "rules", conn=self._conn)
        return found.model if found is not None else RuleTable({})

    @property
    def rules_version(self) -> int:
        """The version of the deployed rule table; 0 when there is none."""
        found = self._catalogue.find("rules", "rules", conn=self._conn)
        return found.version if found is not None else 0

    def rule(self, rule_id: str, received: date) -> Rule | None:
        """The version of a rule for a case received on that office day; ``None`` for an unknown id."""
        return self.rules.on(rule_id, received)

    @property
    def ladders(self) -> Mapping[str, Ladder]:
        found = self._catalogue.find("ladders", "ladders", conn=self._conn)
        return found.model if found is not None else {}

    def ladder(self, ladder_id: str | None) -> Ladder | None:
        """The ladder of that id, else the default one, else none."""
        ladders = self.ladders
        return ladders.get(ladder_id or DEFAULT_LADDER) or ladders.get(DEFAULT_LADDER)

    @property
    def monitoring(self) -> MonitoringSheet:
        """The rules of electronic supervision; without any when none are deployed."""
        found = self._catalogue.find("monitoring", "monitoring", conn=self._conn)
        return found.model if found is not None else MonitoringSheet()

    @property
    def monitoring_version(self) -> int:
        """The version of the deployed supervision rules; 0 when there are none."""
        found = self._catalogue.find("monitoring", "monitoring", conn=self._conn)
        return found.version if found is not None else 0
