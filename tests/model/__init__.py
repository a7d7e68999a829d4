"""An independent small model of an ATT and GATT server, and random sequences that it judges.

``table`` and ``rules`` are the specification, ``database`` what a profile promises of a device,
``world`` and ``judge`` what may have become of it, ``sequences`` what clients send. None of them
imports bletest, or asks its engine what is right. ``lanes`` and ``port`` are emulated devices and
plain bumble centrals on the air, ``run`` plays the sequences, ``falsified`` breaks the engine on
purpose.
"""
