"""What a keyring store keeps beside the keyring: for each record the name of its entry, and of those that are spare."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import cast

__all__ = ["NOW", "Entry", "Row", "Spare"]

NOW = 0.0  # a Unix time that is past


@dataclass(frozen=True, slots=True)
class Entry:
    """Where the keyring holds a record: under this name in this many parts, of a record of this many bytes."""

    name: str
    parts: int
    size: int


@dataclass(frozen=True, slots=True)
class Spare:
    """An entry that no record is in, or not yet: anyone may claim it from this Unix time on. NOW: somebody has."""

    entry: Entry
    free_from: float


@dataclass(frozen=True, slots=True)
class Row:
    """The entry of a record (None: there is no record), its version, and the entries that are spare."""

    entry: Entry | None = None
    version: int | None = None
    spare: tuple[Spare, ...] = ()

    def announcing(self, spare: Spare) -> Row:
        """With an entry that is about to be written."""
        return replace(self, spare=(*self.spare, spare))

    def pointing_to(self, spare: Spare, version: int) -> Row:
        """With the entry that was announced as its own, and its own as spare."""
        return replace(self._without_entry(), entry=spare.entry, version=version).without({spare.entry.name})

    def deleted(self) -> Row:
        """With no record."""
        return self._without_entry()

    def claiming(self, due: float, names: frozenset[str]) -> Row:
        """With those spare entries claimed that are free at the Unix time `due`, or are of these names."""
        spare = tuple(
            Spare(each.entry, NOW) if each.free_from <= due or each.entry.name in names else each for each in self.spare
        )
        return replace(self, spare=spare)

    def without(self, names: set[str]) -> Row:
        """Without the spare entries of these names."""
        return replace(self, spare=tuple(each for each in self.spare if each.entry.name not in names))

    @property
    def claimed(self) -> tuple[Entry, ...]:
        """The spare entries that are to be deleted."""
        return tuple(each.entry for each in self.spare if each.free_from == NOW)

    def to_bytes(self) -> bytes | None:
        """As the store keeps it; None: there is nothing to keep."""
        if self == Row():
            return None
        row = {
            "schema": 1,
            "kind": "keyring-entry",
            "version": self.version,
            "entry": self.entry and _listed(self.entry),
            "spare": [[*_listed(each.entry), each.free_from] for each in self.spare],
        }
        return json.dumps(row, separators=(",", ":")).encode()

    @staticmethod
    def from_bytes(data: bytes) -> Row | None:
        """Read one; None for what is none."""
        try:
            return _read(cast("object", json.loads(data)))
        except (ValueError, RecursionError):
            return None

    def _without_entry(self) -> Row:
        spare = self.spare if self.entry is None else (*self.spare, Spare(self.entry, NOW))
        return Row(spare=spare)


def _listed(entry: Entry) -> list[str | int]:
    return [entry.name, entry.parts, entry.size]


def _read(row: object) -> Row | None:
    match row:
        case {"schema": 1, "kind": "keyring-entry", "version": None | int() as version, "spare": list()}:
            members = cast("dict[str, object]", row)
            listed = members.get("entry")
            entry = None if listed is None else _read_entry(listed)
            spare = tuple(_read_spare(each) for each in cast("list[object]", members["spare"]))
            return Row(entry, version, spare) if (version is None) == (entry is None) else None
        case _:
            return None


def _read_entry(listed: object) -> Entry:
    match listed:
        case [str(name), int(parts), int(size)]:
            return Entry(name, parts, size)
        case _:
            raise ValueError


def _read_spare(listed: object) -> Spare:
    match listed:
        case [str(name), int(parts), int(size), int() | float() as free_from]:
            return Spare(Entry(name, parts, size), float(free_from))
        case _:
            raise ValueError
