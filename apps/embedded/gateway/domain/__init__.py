"""What the endpoint picker decides: configuration, prefix index, scores, choice. No clock, no socket."""
