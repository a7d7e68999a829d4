"""Programs under test: whatever uses plain bleak meets emulated devices, unchanged."""
