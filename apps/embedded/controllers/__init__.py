"""The controllers of the embedded cluster: clients of the Kubernetes API that make specs come true."""
