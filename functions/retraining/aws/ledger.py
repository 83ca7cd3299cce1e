"""The DynamoDB table in which facts are taken before anything is done about them.

SageMaker has no compare-and-set. So a function that is about to start, decide or tell something first takes
the fact here by a conditional put. Keys and kinds of facts are in facts/keys.py.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from threading import Lock
from typing import Any, Final, Protocol

from retraining.errors import NotReady
from retraining.facts.claims import LEASE, Claim
from retraining.facts.fact import F, Fact, Key

Values = Mapping[str, Any]

MAX_SWAPS: Final = 20
"""Times that one invocation reads a fact anew because another invocation has replaced it."""


class Store(Protocol):
    """What the ledger needs of aws/items.py; a dict in memory does for tests."""

    def get(self, fact: str) -> dict[str, Any] | None: ...
    def get_all(self, facts: Sequence[str]) -> dict[str, dict[str, Any]]: ...
    def take(self, fact: str, values: Values) -> dict[str, Any] | None: ...
    def mark(self, fact: str, values: Values, *, where: Mapping[str, str] | None = None) -> bool: ...
    def replace(self, fact: str, values: Values, *, where: Mapping[str, str]) -> bool: ...
    def advance(self, fact: str, values: Values, *, version: str, final: bool) -> bool: ...
    def swap(self, fact: str, values: Values, *, version: int) -> bool: ...
    def claim(self, fact: str, *, now: datetime, lease: timedelta) -> bool: ...
    def release(self, fact: str, *, where: Mapping[str, str] | None = None) -> bool: ...
    def done(self, fact: str, *, now: datetime) -> None: ...


class Facts:
    """Facts as they were when they were read together. What is done about one reads it anew."""

    def __init__(self, items: Mapping[str, Values]) -> None:
        self._items = items

    def get(self, key: Key[F]) -> F | None:
        """The fact as it was then, or None."""
        found = self._items.get(key.text)
        return None if found is None else _read(key, found)


class Ledger:
    """Facts by key. Changes are named as the fields of the fact; a field that is set to None is removed."""

    def __init__(self, items: Store) -> None:
        self._items = items

    def get(self, key: Key[F]) -> F | None:
        """The fact as it is now (read consistently), or None."""
        found = self._items.get(key.text)
        return None if found is None else _read(key, found)

    def get_all(self, keys: Iterable[Key[Any]]) -> Facts:
        """The facts with these keys, read together: each as it is now, by few calls."""
        return Facts(self._items.get_all([key.text for key in keys]))

    def take(self, key: Key[F], fact: F) -> F | None:
        """Write the fact if it is not there: None if it is written, otherwise the fact that stands there.

        Raises NotReady if a fact that stood there has been released meanwhile.
        """
        found = self._items.take(key.text, _whole(fact))
        if found is None:
            return None
        if not found:
            raise NotReady(f"{key} has just been released by another invocation; try again")
        return _read(key, found)

    def mark(self, key: Key[F], *, where: Values | None = None, **changes: object) -> bool:
        """Change these fields and leave the others; the fact need not exist yet.

        With `where`, only if these values still stand in it. Says whether it wrote.
        """
        return self._items.mark(key.text, _stored(key, changes), where=_texts(key, where))

    def replace(self, key: Key[F], fact: F, *, where: Values) -> bool:
        """Replace the whole fact if these values still stand in it. Says whether it did."""
        return self._items.replace(key.text, _whole(fact), where=_texts(key, where) or {})

    def advance(self, key: Key[F], *, version: str, final: bool, **changes: object) -> bool:
        """`mark`, unless what stands there is as new or newer. Says whether it wrote.

        `version` is a time in sortable text. A state that is not `final` may be written again at the same
        version, since not every change moves a clock. A final state gives way to a newer version only.
        """
        return self._items.advance(key.text, _stored(key, changes), version=version, final=final)

    def swap(self, key: Key[F], *, version: int, **values: object) -> bool:
        """`mark`, if the fact is still at `version` (0: must not exist yet). Says whether it wrote.

        A caller that reads a fact and swaps it knows that no other call has changed it in between.
        """
        return self._items.swap(key.text, _stored(key, values), version=version)

    def release(self, key: Key[F], *, where: Values | None = None) -> bool:
        """Remove what was taken or claimed, because what it was for failed or is over.

        With `where`, only if these values still stand in it. Says whether nothing stands there now.
        """
        return self._items.release(key.text, where=_texts(key, where))

    def claim(self, key: Key[Claim], *, now: datetime, lease: timedelta) -> bool:
        """Claim something that must be done once, such as sending. False: it has been done.

        Raises NotReady while another invocation holds the claim. After `lease` the claim passes on.
        """
        return self._items.claim(key.text, now=now, lease=lease)

    def done(self, key: Key[Claim], *, now: datetime) -> None:
        """Note that what was claimed is done."""
        self._items.done(key.text, now=now)


def once(ledger: Ledger, key: Key[Claim], act: Callable[[], None], *, now: datetime) -> bool:
    """Call `act` unless that has been done; if it fails, it can be tried again at once.

    Says whether it did. Raises NotReady while another invocation is at it.
    """
    if not ledger.claim(key, now=now, lease=LEASE):
        return False
    try:
        act()
    except BaseException:
        ledger.release(key, where={"until": now + LEASE})
        raise
    ledger.done(key, now=now)
    return True


@contextmanager
def alone(ledger: Ledger, key: Key[Claim], *, now: datetime) -> Iterator[None]:
    """While this lasts, no other invocation is inside it for the same key. Raises NotReady if one is.

    After LEASE another invocation may enter. An invocation that acts late must compare the time first.
    """
    ledger.claim(key, now=now, lease=LEASE)
    try:
        yield
    finally:
        ledger.release(key, where={"until": now + LEASE})


_BUILDING: Final = Lock()
"""Held while the reader of a kind of facts is built, at its first use. pydantic does not guard that, and 16
threads read facts at the same time."""


def _built(kind: type[F]) -> type[F]:
    """The kind of facts, whose reader is built."""
    if not kind.__pydantic_complete__:
        with _BUILDING:
            kind.model_rebuild()
    return kind


def _read(key: Key[F], item: Values) -> F:
    """The fact in an item: all its attributes without the key's."""
    return _built(key.kind).model_validate({name: value for name, value in item.items() if name != "fact"})


def _stored(key: Key[F], changes: Values) -> dict[str, Any]:
    """The changes as the item holds them. Raises TypeError for what the fact has no field for."""
    unknown = changes.keys() - key.kind.model_fields.keys()
    if unknown and not key.kind.any_name:
        raise TypeError(f"{key.kind.__name__} has no field {', '.join(sorted(unknown))}")
    dumped = _built(key.kind).model_construct(**changes).model_dump(by_alias=True, include=set(changes))
    return {name: _none_if_empty(value) for name, value in dumped.items()}


def _whole(fact: Fact) -> dict[str, Any]:
    """A fact as the item holds it."""
    return {name: _none_if_empty(value) for name, value in fact.model_dump(by_alias=True).items()}


def _none_if_empty(value: Any) -> Any:
    """None, which is not stored, for an empty tuple or mapping: reading it gives the field's default."""
    return None if value in ((), [], {}) else value


def _texts(key: Key[F], where: Values | None) -> dict[str, str] | None:
    return {name: str(value) for name, value in _stored(key, where).items()} if where else None
