"""What `make up` runs: one foreground process that starts, watches and stops the whole local stack."""
