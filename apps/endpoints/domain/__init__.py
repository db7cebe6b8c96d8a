"""Endpoints without Django, clock and I/O."""
