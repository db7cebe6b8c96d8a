"""The service proxy of the embedded cluster: cluster addresses on loopback, forwarded to ready endpoints."""
