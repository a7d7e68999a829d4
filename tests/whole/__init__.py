"""bletest as its users have it: whole programs, whole runs, the package as it is shipped."""
