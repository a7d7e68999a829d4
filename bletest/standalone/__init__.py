"""What a process has that nobody's bench serves: a loop of its own, its radios, its devices."""
