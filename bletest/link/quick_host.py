"""A bumble host that costs little to set up beside a virtual controller.

Three things make up most of what bumble's host takes to power on: a coloured line of text for each
packet, which nobody prints; the HCI packets of its reset, whose answers are the same for every
controller of a kind; a dictionary for each event that its device could listen to. None of them
is needed between a host and a controller of ours in one process.
"""

import logging
from functools import lru_cache
from typing import Any

from bumble import drivers, hci
from bumble.device import Device, device_host_event_handlers
from bumble.gatt_server import Server as GattServer
from bumble.host import DataPacketQueue, Host
from bumble.host import logger as bumble_logger
from bumble.sdp import SDP_PSM
from bumble.utils import setup_event_forwarding

from bletest.link.controller import VirtualController

# Commands that change or tell something and make no other event, by far most of what is sent.
_PROMPT = frozenset(
    {
        hci.HCI_WRITE_LE_HOST_SUPPORT_COMMAND,
        hci.HCI_LE_SET_RANDOM_ADDRESS_COMMAND,
        hci.HCI_LE_SET_ADVERTISING_DATA_COMMAND,
        hci.HCI_LE_SET_SCAN_RESPONSE_DATA_COMMAND,
        hci.HCI_LE_SET_ADVERTISING_PARAMETERS_COMMAND,
        hci.HCI_LE_SET_ADVERTISING_ENABLE_COMMAND,
        hci.HCI_LE_SET_SCAN_PARAMETERS_COMMAND,
        hci.HCI_LE_SET_SCAN_ENABLE_COMMAND,
    }
)

# What bumble's host learns in its reset, beside the queues to the controller.
_LEARNED = (
    "local_supported_commands",
    "local_version",
    "local_le_features",
    "local_lmp_features",
    "suggested_max_tx_octets",
    "suggested_max_tx_time",
    "number_of_supported_advertising_sets",
    "maximum_advertising_data_length",
)
# What it tells the controller.
_TOLD = (
    "event_mask",
    "event_mask_page_2",
    "le_event_mask",
    "suggested_max_tx_octets",
    "suggested_max_tx_time",
)


@lru_cache(maxsize=256)
def _parse(packet: bytes) -> Any:
    # Devices of a kind send the same commands, and nobody changes a command.
    return hci.HCI_Packet.from_bytes(packet)


def trim(owner: object) -> None:
    """Give an object that is set up a dictionary of its size: one that grew has room for plenty."""
    owner.__dict__ = dict(owner.__dict__)


_DEVICE_EVENTS = frozenset(device_host_event_handlers)


class QuickDevice(Device):
    """bumble's device, which a :class:`QuickHost` tells of events without a listener for each.

    It keeps no servers that nobody may ever ask: bumble's GATT server is made again when somebody
    wants it, as the first connection does, and one without Bluetooth Classic has none for
    Classic's service discovery.
    """

    _gatt_server: GattServer | None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not self.gatt_server.services:
            self._gatt_server = None
        if not self.classic_enabled:
            self.l2cap_channel_manager.servers.pop(SDP_PSM, None)

    @property
    def gatt_server(self) -> GattServer:
        """bumble's GATT server."""
        if self._gatt_server is None:
            self._gatt_server = GattServer(self)
            event = GattServer.EVENT_CHARACTERISTIC_SUBSCRIPTION
            setup_event_forwarding(self._gatt_server, self, event)  # type: ignore[no-untyped-call]
        return self._gatt_server

    @gatt_server.setter
    def gatt_server(self, server: GattServer) -> None:
        self._gatt_server = server

    @property
    def host(self) -> Host:
        """The host."""
        assert self._host is not None  # a station's device has one from the beginning
        return self._host

    @host.setter
    def host(self, host: Host) -> None:
        if isinstance(host, QuickHost) and self._host is None:
            self._host = host  # type: ignore[assignment]
            self.l2cap_channel_manager.host = host
            host.attach(self)
            host.long_term_key_provider = self.get_long_term_key
            host.link_key_provider = self.get_link_key
        else:
            Device.host.fset(self, host)  # type: ignore[attr-defined]

    async def get_long_term_key(
        self, connection_handle: int, rand: bytes, ediv: int
    ) -> bytes | None:
        """Return the key that a central asks for by its numbers, None where there is none such.

        bumble's gives the key of a bond for any numbers (Vol 3, Part H, 2.4.4.2).
        """
        connection = self.lookup_connection(connection_handle)
        if connection is None:
            return None
        of_pairing = self.smp_manager.get_long_term_key(connection, rand, ediv)
        if of_pairing is not None or self.keystore is None:
            return of_pairing
        keys = await self.keystore.get(str(connection.peer_address))
        if keys is None:
            return None
        is_central = connection.role == hci.Role.CENTRAL
        key = keys.ltk or (keys.ltk_central if is_central else keys.ltk_peripheral)
        if key is None or (key.rand or bytes(8), key.ediv or 0) != (rand, ediv):
            return None
        return key.value


class QuickHost(Host):
    """bumble's host, with its detours left out where nobody could see them.

    On a transport, with ``--ble-link path=hci``, for a capture, and while bumble logs its packets,
    it does everything as bumble's does.
    """

    tap: object | None = None
    """Whoever notes every HCI packet, if anybody does."""

    _device: Device | None = None
    _queue: DataPacketQueue | None = None
    _queue_to: VirtualController | None = None

    @property
    def le_acl_packet_queue(self) -> DataPacketQueue | None:
        """The queue of data packets to the controller, made when the first connection asks."""
        if self._queue is None and self._queue_to is not None:
            self._queue = DataPacketQueue(
                max_packet_size=self._queue_to.le_acl_data_packet_length,
                max_in_flight=self._queue_to.total_num_le_acl_data_packets,
                send=self.send_hci_packet,
            )
        return self._queue

    @le_acl_packet_queue.setter
    def le_acl_packet_queue(self, queue: DataPacketQueue | None) -> None:
        self._queue, self._queue_to = queue, None

    def direct_controller(self) -> VirtualController | None:
        """Return the controller that may be talked to without packets."""
        controller = self.hci_sink
        if (
            isinstance(controller, VirtualController)
            and controller.is_short
            and self.snooper is None
            and self.tap is None
            and not bumble_logger.isEnabledFor(logging.DEBUG)
        ):
            return controller
        return None

    def attach(self, device: Device) -> None:
        """Tell ``device`` of every event that bumble's devices know, before any listener."""
        self._device = device

    def emit(self, event: str, *args: Any, **kwargs: Any) -> bool:
        """Tell everybody of an event."""
        device = self._device
        if device is None or event not in _DEVICE_EVENTS:
            return super().emit(event, *args, **kwargs)
        self._emit_run(getattr(device, f"on_{event}"), args, kwargs)
        super().emit(event, *args, **kwargs)
        return True

    async def reset(self, driver_factory: Any = drivers.get_driver_for_host) -> None:
        """Reset the controller, and learn what it can do.

        What the first controller of a kind on an air has said, the others are not asked.
        """
        controller = self.direct_controller()
        if controller is None or self.ready:
            await super().reset(driver_factory)
            return
        setups = controller.link.setups
        kind = (type(controller), controller.le_features, frozenset(controller.supported_commands))
        setup = setups.get(kind)
        if setup is None:
            await super().reset(driver_factory)
            setups[kind] = (
                {name: getattr(self, name) for name in _LEARNED},
                {name: getattr(controller, name) for name in _TOLD},
            )
            return
        controller.on_hci_reset_command(hci.HCI_Reset_Command())
        learned, told = setup
        for name, value in learned.items():
            setattr(self, name, value)
        for name, value in told.items():
            setattr(controller, name, value)
        self._queue, self._queue_to = None, controller
        self.ready = True

    async def _send_command(
        self,
        command: hci.HCI_SyncCommand[Any] | hci.HCI_AsyncCommand,
        response_timeout: float | None = None,
    ) -> hci.HCI_Command_Complete_Event[Any] | hci.HCI_Command_Status_Event:
        is_prompt = command.op_code in _PROMPT or (
            # Later on it is how to find out whether the controller still answers.
            command.op_code == hci.HCI_READ_BD_ADDR_COMMAND
            and self._device is not None
            and not self._device.powered_on
        )
        if is_prompt and not self.command_semaphore.locked():
            controller = self.direct_controller()
            # Events on their way to this host are older than the answer and come first.
            if controller is not None and not controller.news:
                # By way of its octets, so that it says there what it would say in a packet.
                answer = controller.answer(_parse(bytes(command)))
                if answer is not None:
                    return hci.HCI_Command_Complete_Event(
                        num_hci_command_packets=1,
                        command_opcode=command.op_code,
                        return_parameters=answer,
                    )
        return await super()._send_command(command, response_timeout)

    def send_hci_packet(self, packet: hci.HCI_Packet) -> None:
        """Send a packet to the controller."""
        if self.snooper is not None or bumble_logger.isEnabledFor(logging.DEBUG):
            super().send_hci_packet(packet)
        elif self.hci_sink is not None:
            self.hci_sink.on_packet(bytes(packet))

    def on_hci_packet(self, packet: hci.HCI_Packet) -> None:
        """Take a packet from the controller."""
        if self.snooper is None and not bumble_logger.isEnabledFor(logging.DEBUG):
            if isinstance(packet, hci.HCI_Event):
                self.on_hci_event_packet(packet)
                return
            if isinstance(packet, hci.HCI_AclDataPacket):
                self.on_hci_acl_data_packet(packet)
                return
        super().on_hci_packet(packet)
