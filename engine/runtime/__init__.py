"""The commands: one module a family of verbs, and the case desk on top of them.  :class:`engine.Engine` is the way in."""
