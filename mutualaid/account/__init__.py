"""What touches every room at once: consents withdrawn with effect, another phone, export, erasure."""
