"""Python runs this at the start of a program under test, which finds it by PYTHONPATH."""

import importlib.machinery
import importlib.util
import pathlib
import sys

from bletest.apps.process import take_over_when_imported

take_over_when_imported()

# Another module of this name, which this one hides, has its turn too.
_here = pathlib.Path(__file__).parent
_others = [one for one in sys.path if pathlib.Path(one or ".").resolve() != _here.resolve()]
_spec = importlib.machinery.PathFinder.find_spec("sitecustomize", _others)
if _spec is not None and _spec.loader is not None:
    _spec.loader.exec_module(importlib.util.module_from_spec(_spec))
