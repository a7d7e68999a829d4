"""Emulated devices: a profile, its behaviour and our ATT server on a bumble host."""
