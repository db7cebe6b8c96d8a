"""How a vLLM engine behaves in time: pure functions and state machines, no clock, no I/O.

The caller owns time: the engine simulator drives `Engine` in real time, benchmarks and what-if in virtual time.
"""
