"""Who works here: people, sections, roles, deputies and conflicts of interest — pure functions over values."""

from engine.organisation.directory import Deputy, Directory, Person, Section
from engine.organisation.eligibility import Eligibility, conflicts, eligible, excluded_by

__all__ = ["Deputy", "Directory", "Eligibility", "Person", "Section", "conflicts", "eligible", "excluded_by"]
