"""The GATT client: a bleak back end over a bumble host, and :class:`~.gatt.GattClient` on any.

``adapter``, ``link``, ``driver``, ``advertising`` and ``security`` drive a bumble host;
``backend`` offers them to bleak; ``raw`` is what bleak's interface cannot say. ``gatt``,
``attempts``, ``names``, ``subscriptions`` and ``errors`` need only a ``bleak.BleakClient``.
``scan`` and ``connecting`` are where most people start. Importing this package imports none
of them.
"""
