"""The engine's physics against a real vLLM measured on an H200."""
