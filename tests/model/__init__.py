"""An independent small model of an ATT and GATT server, and random sequences that it judges.

``table`` and ``rules`` are the specification, ``database`` what a profile promises of a device,
``sequences`` what clients send, ``lanes`` the emulated devices on the air. Nothing but ``lanes``
(and ``falsified``, which breaks the engine on purpose) imports bletest, and nobody asks its
engine what is right.
"""
