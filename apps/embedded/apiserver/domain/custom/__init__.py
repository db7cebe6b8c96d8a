"""Custom resources: what a CustomResourceDefinition says of its kind, made into behaviour."""
