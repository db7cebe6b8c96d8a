"""Pure: what is asked, arrivals from a trace or from history, and the runs."""
