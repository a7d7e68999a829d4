"""Why a transport could not be opened, in words that say what to do."""

import errno
import socket

from bumble.transport.common import TransportInitError, TransportLostError, TransportSpecError

from bletest.errors import AdapterUnusable

_SPELLINGS = "usb:0, serial:/dev/ttyACM0,115200 or tcp-client:127.0.0.1:9000"

# libusb's and pyusb's exceptions by name: importing them would load libusb for nothing.
_USB_BUSY = ("USBErrorBusy",)
_USB_DENIED = ("USBErrorAccess", "USBErrorNotSupported")


def explain_open_failure(spec: str, error: Exception) -> AdapterUnusable:
    """Translate what opening the transport ``spec`` raised, with a remedy."""
    scheme = spec.partition(":")[0]
    number = _system_error(error)
    kind = type(error).__name__
    if kind == "NoBackendError":
        return AdapterUnusable(
            "libusb is missing, without which no USB controller can be opened",
            remedy="install it (on Debian: sudo apt install libusb-1.0-0)",
        )
    if isinstance(error, TransportSpecError | ValueError | AssertionError):
        return AdapterUnusable(
            f"{spec!r} is not a transport",
            remedy=f"write it as bumble does: {_SPELLINGS}",
        )
    if isinstance(error, ImportError):
        return AdapterUnusable(
            f"the transport {spec} needs a package that is not installed: {error.name}",
            remedy=f"pip install {error.name}",
        )
    if isinstance(error, TransportInitError):
        return AdapterUnusable(
            f"there is no Bluetooth controller at {spec}: {error}",
            remedy="plug it in; on USB, bumble-usb-probe lists what there is",
        )
    if isinstance(error, TimeoutError):
        return AdapterUnusable(
            f"{spec} could not be opened in time", remedy="check that the other end is running"
        )
    if number == errno.EADDRINUSE:
        return AdapterUnusable(
            f"{spec} cannot be served: the address is in use",
            remedy="choose another port, or port 0 for any that is free",
        )
    if kind in _USB_BUSY or number == errno.EBUSY:
        return AdapterUnusable(
            f"{spec} is in use by another program, or by the kernel's Bluetooth driver",
            remedy="close that program; for the kernel's driver: sudo hciconfig hci0 down",
        )
    if kind in _USB_DENIED or number in (errno.EACCES, errno.EPERM):
        return AdapterUnusable(f"no permission to open {spec}", remedy=_permission(scheme))
    if kind.startswith("USBError"):
        return AdapterUnusable(
            f"there is no Bluetooth controller at {spec}, or USB cannot be reached: {error}",
            remedy="plug it in; in a container, pass /dev/bus/usb through to it",
        )
    if isinstance(error, socket.gaierror):
        return AdapterUnusable(
            f"the host name in {spec} is not known", remedy="check its spelling, or use its address"
        )
    if number == errno.ECONNREFUSED:
        return AdapterUnusable(
            f"nobody listens at {spec}",
            remedy="start the controller or HCI bridge there first, and check the port number",
        )
    if number in (errno.ENOENT, errno.ENODEV, errno.ENXIO):
        return AdapterUnusable(f"{spec} does not exist", remedy=_missing(scheme))
    return AdapterUnusable(
        f"{spec} could not be opened: {error}",
        remedy=f"check the transport, which is written {_SPELLINGS}",
    )


def explain_setup_failure(spec: object, error: Exception) -> AdapterUnusable:
    """Translate what setting up the controller at ``spec`` raised, with a remedy."""
    if isinstance(error, TransportLostError):
        return AdapterUnusable(
            f"{spec} hung up while its controller was being set up",
            remedy="check that no other host is attached to it; it serves one at a time",
        )
    return AdapterUnusable(
        f"the controller at {spec} answered, but could not be set up: {error}",
        remedy="unplug it and plug it in again; check that it supports Bluetooth LE",
    )


def explain_silence(spec: object, seconds: float) -> AdapterUnusable:
    """Say that nothing at ``spec`` has answered a reset for so many seconds."""
    return AdapterUnusable(
        f"the controller at {spec} did not answer within {seconds:g} s",
        remedy="check that a Bluetooth controller that speaks HCI is at the other end "
        "(and, on a serial port, that speed and flow control are right)",
    )


def _system_error(error: BaseException | None) -> int | None:
    # pyserial keeps errno on its own exception, or only on the one it was raised from.
    while error is not None:
        if isinstance(error, OSError) and error.errno is not None:
            return error.errno
        error = error.__cause__ or error.__context__
    return None


def _permission(scheme: str) -> str:
    if scheme == "serial":
        return "add yourself to the port's group (sudo usermod -aG dialout $USER), log in again"
    if scheme in ("usb", "pyusb"):
        return 'add a udev rule with MODE="0666" for its vendor and product, plug it in again'
    if scheme in ("hci-socket", "vhci"):
        return "this transport needs the capability CAP_NET_ADMIN, or root"
    return "check the permissions of that path"


def _missing(scheme: str) -> str:
    if scheme == "serial":
        return "plug the board in; ls /dev/serial/by-id lists the serial ports there are"
    return "check the path, and that whoever makes it is running"
