"""KV-cache offload: the measured policy against every fixed one, on real and made-up traces."""
