"""Limits in the running desk: clocks and their ledgers, rungs, the rule table and the ladders, the work calendar."""
