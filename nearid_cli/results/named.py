"""Tuples whose items have names, and can be had by them."""

from __future__ import annotations

from typing import Any, ClassVar, SupportsIndex, TypeVar, overload

from nearid_cli.text import unknown

Item = TypeVar("Item")


class Named(tuple[Item, ...]):
    """A tuple that also takes the name of an item: equal to the plain tuple, and like it in all else.

    A kind of items has a subclass, which says of which type they are, what they are called, and
    which attribute holds their names.
    """

    __slots__ = ()
    item: ClassVar[type[Any]]
    noun: ClassVar[str]
    attribute: ClassVar[str]

    def __init_subclass__(cls, item: type[Any], noun: str, attribute: str) -> None:
        cls.item, cls.noun, cls.attribute = item, noun, attribute

    @overload
    def __getitem__(self, key: SupportsIndex) -> Item: ...

    @overload
    def __getitem__(self, key: slice) -> tuple[Item, ...]: ...

    @overload
    def __getitem__(self, key: str) -> Item: ...

    def __getitem__(self, key: SupportsIndex | slice | str) -> Item | tuple[Item, ...]:
        """An item by its name or place, or a slice.

        Raises:
            KeyError: no item has this name; the nearest are named.
            IndexError: there is no such place.
        """
        if not isinstance(key, str):
            return super().__getitem__(key)
        for item, name in zip(self, self.names(), strict=True):
            if name == key:
                return item
        raise KeyError(unknown(self.noun, key, self.names()))

    def __contains__(self, item: object) -> bool:
        return item in self.names() if isinstance(item, str) else super().__contains__(item)

    def names(self) -> list[str]:
        """The names of all items, in their order."""
        return [getattr(item, self.attribute) for item in self]
