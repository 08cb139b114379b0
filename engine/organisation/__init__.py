"""Who works here: people, sections, roles, deputies and conflicts of interest — pure functions over values."""

from engine.organisation.directory import Deputy, Directory, Person, Section
from engine.organisation.eligibility import DEPUTY_RULES, Eligibility, conflicts, eligible, excluded_by, may_stand_in

__all__ = ["DEPUTY_RULES", "Deputy", "Directory", "Eligibility", "Person", "Section", "conflicts", "eligible", "excluded_by", "may_stand_in"]
