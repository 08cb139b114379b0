"""Telling people: who hears of what, by which way, when, and what became of it."""
