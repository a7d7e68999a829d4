"""``bletest doctor``: dongles by physical identity, permissions, services, tools, remedies."""

import json
import socket
from pathlib import Path

import pytest
from click.testing import CliRunner

from bletest.bench.machine import Kind, Line, Machine
from bletest.cli import main


def write(folder: Path, **files: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name).write_text(text + "\n")


def plug_in(root: Path, *, place: str = "1-2", driver: bool = False) -> Path:
    """Put a dongle into a file system; return the node through which it is opened."""
    device = root / "sys/bus/usb/devices" / place
    write(
        device,
        bDeviceClass="e0",
        bDeviceSubClass="01",
        bDeviceProtocol="01",
        idVendor="0a12",
        idProduct="0001",
        serial="S1",
        manufacturer="CSR",
        product="Dongle",
        busnum="1",
        devnum="7",
    )
    (device / f"{place}:1.0").mkdir()
    if driver:
        (device / f"{place}:1.0" / "driver").mkdir()
    node = root / "dev/bus/usb/001/007"
    node.parent.mkdir(parents=True)
    node.touch()
    return node


def machine(root: Path, **programs: str) -> Machine:
    return Machine(root, programs.get, user="eva")


def line(lines: list[Line], name: str) -> Line:
    return next(one for one in lines if one.name == name)


def test_a_bare_machine_lacks_everything_and_says_how_to_get_it(tmp_path: Path) -> None:
    lines = machine(tmp_path).lines()
    assert [one.name for one in lines] == ["dongles", "D-Bus", "BlueZ", "node", "npx", "tshark"]
    assert not any(one.usable for one in lines)
    assert all(one.remedy for one in lines)


def test_a_dongle_is_known_by_its_physical_identity(tmp_path: Path) -> None:
    plug_in(tmp_path, place="1-2.3")
    dongle = line(machine(tmp_path).lines(), "usb:0a12:0001/S1")
    assert dongle == Line(
        Kind.RADIO, "usb:0a12:0001/S1", True, "CSR Dongle", "", "0a12:0001 S1 at 1-2.3"
    )


def test_a_dongle_in_the_kernels_hands_is_usable_and_the_remedy_unbinds_it(tmp_path: Path) -> None:
    plug_in(tmp_path, driver=True)
    dongle = line(machine(tmp_path).lines(), "usb:0a12:0001/S1")
    assert dongle.usable
    assert "echo 1-2:1.0 | sudo tee" in dongle.remedy


def test_a_composite_dongle_is_known_by_its_interface(tmp_path: Path) -> None:
    plug_in(tmp_path)
    device = tmp_path / "sys/bus/usb/devices/1-2"
    write(device, bDeviceClass="ef", bDeviceSubClass="02", serial="")
    interface = {"bInterfaceClass": "e0", "bInterfaceSubClass": "01", "bInterfaceProtocol": "01"}
    write(device / "1-2:1.0", **interface)
    assert line(machine(tmp_path).lines(), "usb:0a12:0001").usable


def test_other_usb_devices_are_no_dongles(tmp_path: Path) -> None:
    write(tmp_path / "sys/bus/usb/devices/1-1", bDeviceClass="03", idVendor="046d")
    assert line(machine(tmp_path).lines(), "dongles").usable is False


def test_a_dongle_that_this_user_may_not_open_comes_with_a_udev_rule(tmp_path: Path) -> None:
    node = plug_in(tmp_path)
    closed = Machine(tmp_path, {}.get, may_open=lambda path: path != node, user="eva")
    dongle = line(closed.lines(), "usb:0a12:0001/S1")
    assert not dongle.usable
    assert 'ATTR{idVendor}=="0a12", ATTR{idProduct}=="0001"' in dongle.remedy
    assert "usermod -aG plugdev eva" in dongle.remedy


def test_a_dongle_without_a_node_is_not_usable(tmp_path: Path) -> None:
    plug_in(tmp_path).unlink()
    assert not line(machine(tmp_path).lines(), "usb:0a12:0001/S1").usable


def test_serial_ports_are_named_by_what_is_plugged_in(tmp_path: Path) -> None:
    write(tmp_path / "dev", ttyACM0="", tty1="")
    by_id = tmp_path / "dev/serial/by-id"
    by_id.mkdir(parents=True)
    (by_id / "usb-Nordic_nRF52840-if00").symlink_to(tmp_path / "dev/ttyACM0")
    radios = [one for one in machine(tmp_path).lines() if one.kind is Kind.RADIO]
    assert [one.identity for one in radios] == ["usb-Nordic_nRF52840-if00"]
    assert radios[0].name.endswith("dev/ttyACM0")


def test_controllers_of_the_kernel_are_listed_without_their_connections(tmp_path: Path) -> None:
    write(tmp_path / "sys/class/bluetooth/hci0", address="00:11:22:33:44:55")
    write(tmp_path / "sys/class/bluetooth/hci0:64")
    lines = machine(tmp_path).lines()
    assert line(lines, "hci0").identity == "00:11:22:33:44:55"
    assert "hci0:64" not in [one.name for one in lines]


def test_the_bus_is_asked_and_not_believed_by_its_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # the path of a socket is short
    here = Path()
    write(here / "run/dbus", system_bus_socket="")
    assert not line(machine(here).lines(), "D-Bus").usable
    (here / "run/dbus/system_bus_socket").unlink()
    with socket.socket(socket.AF_UNIX) as bus:
        bus.bind("run/dbus/system_bus_socket")
        bus.listen()
        assert line(machine(here).lines(), "D-Bus").usable


def test_bluez_is_there_installed_or_running(tmp_path: Path) -> None:
    daemon = tmp_path / "usr/libexec/bluetooth/bluetoothd"
    daemon.parent.mkdir(parents=True)
    daemon.write_text("#!/bin/sh\necho 5.66\n")
    daemon.chmod(0o755)
    stopped = line(machine(tmp_path).lines(), "BlueZ")
    assert (stopped.usable, stopped.detail) == (False, "5.66, its daemon does not run")
    assert stopped.remedy == "sudo service bluetooth start"
    write(tmp_path / "proc/17", comm="bluetoothd")
    assert line(machine(tmp_path).lines(), "BlueZ").usable


def test_tools_say_their_version(tmp_path: Path) -> None:
    tool = tmp_path / "tool"
    tool.write_text("#!/bin/sh\necho v20.1.0\n")
    tool.chmod(0o755)
    node = line(machine(tmp_path, node=str(tool)).lines(), "node")
    assert (node.usable, node.detail) == (True, "v20.1.0; for HTML reports (with npx)")


def test_a_tool_that_does_not_start_is_there_all_the_same(tmp_path: Path) -> None:
    node = line(machine(tmp_path, node=str(tmp_path / "gone")).lines(), "node")
    assert node.detail == "of unknown version; for HTML reports (with npx)"


def test_the_command_tells_it_to_people_and_to_programs() -> None:
    told = CliRunner().invoke(main, ["doctor"])
    assert told.exit_code == 0
    assert "tshark" in told.output
    listed = json.loads(CliRunner().invoke(main, ["doctor", "--json"]).output)
    assert {"kind", "name", "usable", "detail", "remedy", "identity"} == set(listed[0])
