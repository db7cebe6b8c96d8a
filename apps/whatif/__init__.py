"""What would have happened: a pool's policy played against a trace or the pool's own history, in virtual time."""
