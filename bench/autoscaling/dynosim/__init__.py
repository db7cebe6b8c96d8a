"""NVIDIA's DynoSim (Apache-2.0, on PyPI) as a second simulator: in a virtual environment of its own."""
