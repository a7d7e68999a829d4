"""How HCI ports are written, and what is said about ports that are written wrongly."""

import pytest

from bletest.errors import UsageMistake
from bletest.link.port_spec import PortSpec, parse_port


@pytest.mark.parametrize(
    ("text", "spec"),
    [
        ("tcp-server:127.0.0.1:9000", PortSpec("tcp-server", "127.0.0.1:9000")),
        ("tcp-server:9000", PortSpec("tcp-server", "127.0.0.1:9000")),
        ("tcp-server::9000", PortSpec("tcp-server", "127.0.0.1:9000")),
        ("tcp-server:_:0", PortSpec("tcp-server", "127.0.0.1:0")),
        ("tcp-server:0.0.0.0:9000", PortSpec("tcp-server", "0.0.0.0:9000")),
        ("tcp-server:[::1]:9000", PortSpec("tcp-server", "[::1]:9000")),
        ("unix-server:/tmp/a,b", PortSpec("unix-server", "/tmp/a,b")),
        ("unix-server:@abstract", PortSpec("unix-server", "@abstract")),
        ("pty", PortSpec("pty", "")),
        ("pty:/tmp/hci,buffers=27", PortSpec("pty", "/tmp/hci", 27)),
        (
            "pty,address=02:00:00:00:00:0a,buffers=100",
            PortSpec("pty", "", 100, "02:00:00:00:00:0A"),
        ),
        ("pty,advertising=extended", PortSpec("pty", "", extended=True)),
        ("pty,advertising=legacy,buffers=27", PortSpec("pty", "", 27)),
        ("serial:/dev/ttyUSB0,115200", PortSpec("serial", "/dev/ttyUSB0,115200")),
    ],
)
def test_a_port_is_read(text, spec):
    assert parse_port("--ble-hci-port", text) == spec


@pytest.mark.parametrize(
    ("text", "message", "remedy"),
    [
        ("tcp-sever:1", "no HCI port", 'did you mean "tcp-server"'),
        ("usb:0", "no HCI port", "Write tcp-server"),
        ("", "no HCI port", "Write tcp-server"),
        ("tcp-server:here", "no port number", "port 0"),
        ("tcp-server:1.2.3.4:70000", "no port number", "port 0"),
        ("unix-server", "does not say where", "write tcp-server"),
        ("pty,buffers=26", "buffers of 26 octets", "27 to 251"),
        ("pty,buffers=", "buffers of no octets", "27 to 251"),
        ("pty,buffers=many", "buffers of many octets", "27 to 251"),
        ("pty,advertising=5", 'the kind "5"', "advertising=extended"),
        ("pty,address=1:2", 'the address "1:2"', "six octets"),
    ],
)
def test_what_is_no_port_is_told_with_the_option_and_a_remedy(text, message, remedy):
    with pytest.raises(UsageMistake, match=message) as caught:
        parse_port("--ble-hci-port", text)
    assert caught.value.message.startswith("--ble-hci-port: ")
    assert remedy in caught.value.remedy
