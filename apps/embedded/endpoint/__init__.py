"""The embedded gateway of an Endpoint: public model names in front of pools, with consumer keys, limits and a meter."""
