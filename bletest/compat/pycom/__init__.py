"""Pycom's interface: ``from bletest.compat.pycom import Bluetooth``, in place of ``network``'s."""

from bletest.compat.pycom.bluetooth import Bluetooth
from bletest.compat.pycom.gatts import GATTSCharacteristic, GATTSService

__all__ = ["Bluetooth", "GATTSCharacteristic", "GATTSService"]
