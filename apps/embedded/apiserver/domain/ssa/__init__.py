"""Server-side apply: merging by schema, and the ownership of fields.

The rules are those of sigs.k8s.io/structured-merge-diff (v6) and of the field manager in k8s.io/apimachinery.
"""
