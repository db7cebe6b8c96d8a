"""Containers whose work the embedded endpoint picker does by itself: they only answer their probes."""
