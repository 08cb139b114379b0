"""BPMN 2.0 XML in, an executable model out, and the movement of tokens through it.

``read_bpmn`` parses and checks a file; :class:`Execution` runs one instance of a process of it on SpiffWorkflow's task
machinery; ``snapshot`` turns what is alive of it into a few hundred bytes and back.
"""
