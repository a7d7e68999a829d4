"""Hardware-in-the-loop tests for Bluetooth LE devices, from one YAML profile.

The packages, from the bottom up: ``att``, ``contracts``, ``profile``, ``behaviour``,
``conformance`` and ``evidence``, ``link``, ``client`` and ``peripheral``, ``bench``, ``cli``.
ARCHITECTURE.md draws them. Importing this package imports none of them.

PYTEST_DONT_REWRITE: ``bletest run`` has this package imported before pytest looks at it, and
pytest would warn of that in every run.
"""

__version__ = "0.1.0"
