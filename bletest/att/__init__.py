"""The Attribute Protocol, sans-I/O: PDUs, error codes, server engine, client engine.

Core Specification Vol 3, Part F (ATT) and Part G (GATT). Nothing here opens, waits or sleeps:
octets and moments come in as arguments, octets and events go out as values.
"""
