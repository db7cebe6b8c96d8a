"""Workloads, traces and statistics of load tests: pure."""
