"""Supervision 督办: orders that must be answered, figures of how limits are kept, and what the present pace leads to."""
