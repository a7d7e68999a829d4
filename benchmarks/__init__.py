"""How fast bletest is, beside plain bumble: ``python -m benchmarks``.

Nothing here asserts a time. docs/performance.md says what each figure means.
"""
