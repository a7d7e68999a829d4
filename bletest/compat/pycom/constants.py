"""Pycom's constants, by the firmware's numbers."""


class Constants:
    """What :class:`~bletest.compat.pycom.bluetooth.Bluetooth` has as class attributes."""

    NEW_ADV_EVENT = 1
    CLIENT_CONNECTED = 2
    CLIENT_DISCONNECTED = 4
    CHAR_READ_EVENT = 8
    CHAR_WRITE_EVENT = 16
    CHAR_NOTIFY_EVENT = 32
    CHAR_SUBSCRIBE_EVENT = 128

    PROP_BROADCAST = 0x01
    PROP_READ = 0x02
    PROP_WRITE_NR = 0x04
    PROP_WRITE = 0x08
    PROP_NOTIFY = 0x10
    PROP_INDICATE = 0x20
    PROP_AUTH = 0x40
    PROP_EXT_PROP = 0x80

    PERM_READ = 0x001
    PERM_READ_ENCRYPTED = 0x002
    PERM_READ_ENC_MITM = 0x004
    PERM_WRITE = 0x010
    PERM_WRITE_ENCRYPTED = 0x020
    PERM_WRITE_ENC_MITM = 0x040
    PERM_WRITE_SIGNED = 0x080
    PERM_WRITE_SIGNED_MITM = 0x100

    CHAR_CONFIG_NOTIFY = 1
    CHAR_CONFIG_INDICATE = 2

    BLE = 1
    INT_ANT = 0
    EXT_ANT = 1
    MAN_ANT = 2
