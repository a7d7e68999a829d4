"""Host stacks that share no line with us, on the air as the device and as the central."""
