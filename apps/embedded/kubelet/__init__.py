"""The kubelet of the embedded cluster: plays every node and runs containers as local processes."""
