"""The plugins, one file a plugin (or a pair that shares its formula)."""
