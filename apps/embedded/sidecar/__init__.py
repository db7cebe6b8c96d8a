"""The routing sidecar of a decode pod: it has prompts computed elsewhere when the picker says so."""
