"""Facts about Kubernetes objects that several processes of the embedded cluster share. Pure."""
