"""The plan of one device's faults: asked before anything happens, it says what is due."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches

from bletest.errors import FaultNotFired, UnknownAttribute, UsageMistake
from bletest.faults.pdus import (
    OCCASION_OF,
    WRITE_REQUEST,
    Sending,
    handles_in,
    spoil,
)
from bletest.profile.faults import Effect, FaultSpec, Occasion, read_fault, resolve_fault
from bletest.profile.mistakes import Refusal
from bletest.profile.spec import Profile


@dataclass(eq=False, slots=True)
class Fault:
    """One fault of a plan: ``seen`` counts matching occasions, ``fired`` those it was due on.

    ``lasting`` ones are part of the device (its profile has them): they are judged over a run,
    not test by test.
    """

    spec: FaultSpec
    lasting: bool = False
    seen: int = 0
    fired: int = 0

    def __str__(self) -> str:
        return str(self.spec)


_AT_ONCE = frozenset({Effect.PAUSES, Effect.FORGETS, Effect.KILLS})


class FaultPlan:
    """The faults of one emulated device, in the order in which they apply.

    Whoever carries them out sets what it needs: ``on_fired`` is told of each fault the moment it
    is due, ``on_added`` of each new one (it may refuse it, by raising), and ``perform`` does at
    once what hits more than a PDU: advertising pauses, the bond is lost, the adapter dies.
    ``handles`` gives the paths of attributes by handle, ``cccds`` those of characteristics by
    the handle of their Client Characteristic Configuration. An empty plan is false.
    """

    def __init__(self, profile: Profile) -> None:
        self.profile = profile
        self.handles: Mapping[int, str] = {}
        self.cccds: Mapping[int, str] = {}
        self.on_fired: Callable[[Fault], None] = _nothing
        self.on_added: Callable[[Fault], None] = _nothing
        self.perform: Callable[[FaultSpec], None] = _nothing
        self._faults: list[Fault] = [Fault(spec, lasting=True) for spec in profile.faults]

    def __len__(self) -> int:
        return len(self._faults)

    def __iter__(self) -> Iterator[Fault]:
        return iter(tuple(self._faults))

    def add(self, sentence: str | None = None, /, **parts: object) -> Fault:
        """Plan one more fault, said in a sentence or in parts, and return it.

        ``add("battery_level: read 2 answers 0x0E")`` is
        ``add(of="battery_level", on="read", nth=2, answers=0x0E)``. Occasions count from now.
        Raises :class:`~bletest.errors.UsageMistake` with a remedy.
        """
        if (sentence is None) == (not parts):
            raise UsageMistake(
                "a fault is one sentence, or parts by keyword",
                remedy='such as "battery_level: read 2 answers 0x0E"',
            )
        fault = Fault(planned(parts if sentence is None else sentence, self.profile))
        self.on_added(fault)
        self._faults.append(fault)
        return fault

    # What those who carry it out ask

    def ask(self, *occasions: Occasion, paths: tuple[str, ...] = ()) -> tuple[FaultSpec, ...]:
        """Something happens that is each of ``occasions``, to the attributes at ``paths``.

        Return the faults that are due; they count as fired.
        """
        due = []
        for fault in self._faults:
            spec = fault.spec
            if spec.occasion in occasions and (not spec.path or spec.path in paths):
                fault.seen += 1
                if spec.matches(fault.seen):
                    self._fire(fault)
                    due.append(spec)
        return tuple(due)

    def ask_request(self, pdu: bytes) -> tuple[FaultSpec, ...]:
        """A client's PDU is about to be handled by the server."""
        occasion = OCCASION_OF.get(pdu[0])
        handles = handles_in(pdu)
        if occasion is Occasion.CONFIRMATION:  # the client's side asks for itself
            return ()
        if occasion is Occasion.COMMAND:
            return self.ask(occasion, paths=self._paths(handles))
        if pdu[0] == WRITE_REQUEST and handles and handles[0] in self.cccds:
            paths = (self.cccds[handles[0]],)
            if any(pdu[3:]):
                return self.ask(Occasion.SUBSCRIPTION, Occasion.REQUEST, paths=paths)
            return self.ask(Occasion.REQUEST, paths=paths)
        if occasion is None:
            return self.ask(Occasion.REQUEST)
        return self.ask(occasion, Occasion.REQUEST, paths=self._paths(handles))

    def ask_sending(self, pdu: bytes) -> tuple[FaultSpec, ...]:
        """The device is about to send a notification or an indication."""
        occasion = OCCASION_OF.get(pdu[0])
        if occasion is None:
            return ()
        return self.ask(occasion, paths=self._paths(handles_in(pdu)))

    def confirm(self, handle: int, confirmation: bytes) -> list[Sending]:
        """A client is about to confirm an indication of ``handle``; return what it sends."""
        due = self.ask(Occasion.CONFIRMATION, paths=self._paths((handle,)))
        return spoil(confirmation, due) if due else [(0.0, confirmation)]

    def reach(self, fault: Fault) -> None:
        """The moment of a fault that waits for one has come, and it can be carried out."""
        self._fire(fault)

    # What is left over

    @property
    def leftovers(self) -> tuple[Fault, ...]:
        """The faults of this test alone that were never due."""
        return tuple(one for one in self._faults if not one.fired and not one.lasting)

    def check_leftovers(self) -> None:
        """Raise :class:`~bletest.errors.FaultNotFired` if a fault of the test never was due."""
        raise_for_leftovers([(one.spec, one.seen) for one in self.leftovers])

    def _fire(self, fault: Fault) -> None:
        fault.fired += 1
        self.on_fired(fault)
        if fault.spec.effect in _AT_ONCE:
            self.perform(fault.spec)

    def _paths(self, handles: tuple[int, ...]) -> tuple[str, ...]:
        return tuple(self.handles[one] for one in handles if one in self.handles)


def leftover(spec: FaultSpec, seen: int) -> str:
    """Say that a fault never fired, and how often its occasion came."""
    if spec.occasion is Occasion.AT:
        nobody = spec.effect is Effect.DISCONNECTS
        why = "its moment found nobody connected" if nobody and seen else "the end came before it"
        return f'the fault "{spec}" never fired: {why}'
    what = f"{spec.occasion} of {spec.attribute}" if spec.attribute else str(spec.occasion)
    return f'the fault "{spec}" never fired: {seen} × {what} happened'


def raise_for_leftovers(left: Sequence[tuple[FaultSpec, int]]) -> None:
    """Raise :class:`~bletest.errors.FaultNotFired` for what never fired, and how often it could."""
    if left:
        raise FaultNotFired(
            "\n".join(leftover(spec, seen) for spec, seen in left),
            faults=[str(spec) for spec, _ in left],
            remedy="make the test get there, or take the fault out of the plan",
        )


def planned(given: object, profile: Profile) -> FaultSpec:
    """Read a fault and find its attribute in ``profile``; raises UsageMistake with a remedy."""
    try:
        spec = read_fault(given)
    except Refusal as refusal:
        raise _mistake(given, refusal) from None
    if not spec.attribute:
        return spec
    path, properties = _find(profile, spec.attribute)
    try:
        return resolve_fault(spec, path, properties)
    except Refusal as refusal:
        raise _mistake(given, refusal) from None


def _mistake(given: object, refusal: Refusal) -> UsageMistake:
    said = given if isinstance(given, str) else repr(given)
    return UsageMistake(f"in the fault {said}: {refusal.message}", remedy=refusal.remedy)


def _find(profile: Profile, name: str) -> tuple[str, frozenset[str] | None]:
    found = profile.characteristic(name)
    if found is not None:
        return found.path, found.properties
    known = []
    for characteristic in profile.characteristics():
        known += [characteristic.path, characteristic.uuid.label, characteristic.id or ""]
        for descriptor in characteristic.descriptors:
            if name in (descriptor.id, descriptor.path):
                return descriptor.path, None
            known += [descriptor.path, descriptor.id or ""]
    names = list(filter(None, dict.fromkeys(known)))
    close = get_close_matches(name, names, n=1)
    raise UnknownAttribute(
        f'{profile.name} has no attribute "{name}" for a fault',
        remedy=f'did you mean "{close[0]}"?' if close else f"it has {', '.join(names)}",
    )


def _nothing(_: object) -> None:
    """Do nothing."""
