"""Find capabilities in the catalog."""

from __future__ import annotations

from contextlib import contextmanager
from difflib import get_close_matches
from typing import TYPE_CHECKING

from chaojiyuyan_core.errors import HebingAPIError

from ._errors import HintedError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from chaojiyuyan_client import NexusClient
    from chaojiyuyan_core.models import CapabilitySpec


def find_capability(specs: Iterable[CapabilitySpec], key: str) -> CapabilitySpec | None:
    """Return the entry of a capability, or None when the catalog does not have it.

    Args:
        specs: The catalog.
        key: The key of the capability.
    """
    return next((spec for spec in specs if spec.get("capability_key") == key), None)


@contextmanager
def suggest_on_unknown(client: NexusClient, key: str) -> Iterator[None]:
    """Suggest similar keys when the platform does not know a capability.

    Args:
        client: Reads the catalog.
        key: The key of the capability that is ordered.

    Raises:
        HintedError: The platform does not know the key.
    """
    try:
        yield
    except HebingAPIError as error:
        if error.code != "unknown_capability":
            raise
        raise HintedError(error, describe_similar(client.capabilities(), key)) from error


def describe_similar(specs: Iterable[CapabilitySpec], key: str) -> str:
    """Return a sentence that suggests keys similar to an unknown key.

    Args:
        specs: The catalog.
        key: The key that is not in it.
    """
    keys = [str(spec.get("capability_key")) for spec in specs]
    near = get_close_matches(key, keys)
    if near:
        return f"Did you mean {' or '.join(near)}?"
    return "Run `chaojiyuyan capabilities` for a list."
