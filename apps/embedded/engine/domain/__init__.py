"""What the engine simulator decides without a clock or a socket: tokens, block hashes, requests, settings, text."""
