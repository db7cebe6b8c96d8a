"""Workloads and the load player behind `lamp load`."""
