"""The scheduler of the embedded cluster: binds pods to nodes, or says why it cannot."""
