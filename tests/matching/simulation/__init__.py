"""The simulator: small cities, every seed fixed."""
