"""The REST base: what every kind's endpoints share."""
