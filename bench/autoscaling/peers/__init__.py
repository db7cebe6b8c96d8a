"""What others do, as ports: each file states its source, version and formula; the main knob of each is swept, the rest
is left at its defaults. NVIDIA's planner is not here: the real one runs in the cross-check with DynoSim."""
