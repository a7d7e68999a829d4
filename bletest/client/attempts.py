"""Operations that answer with an outcome instead of raising."""

from collections.abc import Awaitable
from typing import TYPE_CHECKING

from bletest.client.errors import BLEAK_ERRORS, MISSING, from_bleak, reraise
from bletest.contracts.client import CharacteristicName, DescriptorName
from bletest.contracts.outcomes import Outcome
from bletest.errors import AttributeMissing, DeviceFault

if TYPE_CHECKING:
    from bletest.client.gatt import GattClient


class GattAttempts:
    """Implements :class:`bletest.contracts.client.Attempts`.

    What the device can be to blame for becomes an :class:`Outcome`: a code, or one of the
    symptoms ``not_paired``, ``no_answer``, ``link_lost``, ``protocol_violation``,
    ``pairing_failed``, ``attribute_missing``. Trouble of the bench and mistakes of the caller
    are raised.
    """

    def __init__(self, client: "GattClient") -> None:
        self._client = client

    async def read(self, characteristic: CharacteristicName) -> Outcome:
        """Read the whole value, long ones too."""
        try:
            named = self._client.names.characteristic(characteristic)
        except AttributeMissing:
            return _missing("read", characteristic)
        return await self._attempt("read", named.path, self._client.read_now(named))

    async def write(
        self, characteristic: CharacteristicName, value: bytes, *, response: bool = True
    ) -> Outcome:
        """Write, with or without response; without one, success means it was sent."""
        try:
            named = self._client.names.characteristic(characteristic)
        except AttributeMissing:
            return _missing("write", characteristic)
        work = self._client.write_now(named, value, response)
        return await self._attempt("write", named.path, work)

    async def read_descriptor(self, descriptor: DescriptorName) -> Outcome:
        """Read the whole value of a descriptor."""
        try:
            named = self._client.names.descriptor(descriptor)
        except AttributeMissing:
            return _missing("read", descriptor)
        return await self._attempt("read", named.path, self._client.read_descriptor_now(named))

    async def write_descriptor(self, descriptor: DescriptorName, value: bytes) -> Outcome:
        """Write a descriptor; the CCCD (0x2902) needs ``raw_att``."""
        try:
            named = self._client.names.descriptor(descriptor)
        except AttributeMissing:
            return _missing("write", descriptor)
        work = self._client.write_descriptor_now(named, value)
        return await self._attempt("write", named.path, work)

    async def subscribe(self, characteristic: CharacteristicName) -> Outcome:
        """Enable notifications (or indications where only those exist)."""
        try:
            named = self._client.names.characteristic(characteristic)
        except AttributeMissing:
            return _missing("subscribe", characteristic)
        work = self._client.subscribe_now(named, None)
        return await self._attempt("subscribe", named.path, work)

    async def unsubscribe(self, characteristic: CharacteristicName) -> Outcome:
        """Disable them again; ``subscribe()`` blocks that are open keep theirs."""
        try:
            named = self._client.names.characteristic(characteristic)
        except AttributeMissing:
            return _missing("unsubscribe", characteristic)
        return await self._attempt("unsubscribe", named.path, self._client.unsubscribe_now(named))

    async def pair(self) -> Outcome:
        """Pair with the device."""
        return await self._attempt("pair", "", self._client.bleak.pair())

    async def _attempt(
        self, operation: str, attribute: str, work: Awaitable[bytes | None]
    ) -> Outcome:
        name = attribute or "device"
        try:
            value = await work
        except BLEAK_ERRORS as error:
            trouble = from_bleak(error, operation, attribute)
            if not isinstance(trouble.error, DeviceFault):
                reraise(error, operation, attribute)
            return Outcome(operation, name, code=trouble.code, symptom=trouble.symptom)
        return Outcome(operation, name, value=b"" if value is None else value)


def _missing(operation: str, name: object) -> Outcome:
    return Outcome(operation, str(name), symptom=MISSING)
