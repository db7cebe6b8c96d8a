"""The engine simulator: vLLM's command line, HTTP surface and metrics in front of apps.physics."""
