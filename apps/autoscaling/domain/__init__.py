"""Everything that decides on replicas: pure, the same in production, in what-if and in the benchmark."""
