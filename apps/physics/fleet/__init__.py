"""A fleet of engines in virtual time: replicas that start, serve, sleep, drain and break, behind a gateway."""
