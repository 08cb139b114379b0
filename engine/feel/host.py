"""The names of the functions that a host may put into the scope and that hold spaces.

FEEL can only read a name with spaces when it is known beforehand (DMN 1.5 §10.3.1.4).  These are known in every text, wherever it
stands: conditions, forms, decisions.  Where a host does not offer them, calling one gives null with a note.
"""

from __future__ import annotations

HOST_NAMES: frozenset[str] = frozenset(
    ("add workdays", "workdays between", "is workday", "next workday", "previous workday", "section of", "name of")
)
