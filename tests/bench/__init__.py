"""Measurements (``make bench``).  They print figures and ratios; nothing is asserted about a machine's speed."""
