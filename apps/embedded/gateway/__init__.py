"""The embedded endpoint picker: an HTTP proxy that routes each request to the replica that scores best."""
