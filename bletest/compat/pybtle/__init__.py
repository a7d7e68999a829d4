"""pybtle's interface: ``from bletest.compat.pybtle import cmd, gap, gattc``.

Every call returns a dict: ``result`` is ``"ok"`` or ``"error"``, ``reason`` says what happened
where it is an error (``""`` otherwise), and ``value`` is what was asked for, if something was.
"""

from bletest.compat.pybtle import cmd, gap, gattc

__all__ = ["cmd", "gap", "gattc"]
