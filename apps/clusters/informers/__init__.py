"""The informer process: one watch set per cluster, kept in Postgres for whoever reconciles."""
