"""What the endpoint gateway decides. Pure."""
