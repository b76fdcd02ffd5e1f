"""How often somebody may do something: token buckets by whatever they are told apart by."""

import ipaddress
import time
from collections import OrderedDict
from collections.abc import Hashable

from starlette.requests import HTTPConnection

MOST_KEYS = 20_000  # that are remembered


class TokenBuckets:
    """Tokens by key: `most` to begin with, `per_s` new ones. The keys heard of longest are forgotten."""

    def __init__(self, most: int, per_s: float) -> None:
        self._most = most
        self._per_s = per_s
        self._kept: OrderedDict[Hashable, tuple[float, float]] = (
            OrderedDict()
        )  # tokens, and when: monotonic s

    def left(self, key: Hashable) -> float:
        """How many tokens that key has now."""
        tokens, at = self._kept.get(key, (self._most, 0.0))
        return min(self._most, tokens + (time.monotonic() - at) * self._per_s)

    def take(self, key: Hashable) -> bool:
        """Take one; whether there was one."""
        left = self.left(key)
        self._kept[key] = (left - 1 if left >= 1 else left, time.monotonic())
        self._kept.move_to_end(key)
        if len(self._kept) > MOST_KEYS:
            self._kept.popitem(last=False)
        return left >= 1


def address_of(request: HTTPConnection) -> str:
    """Who asks, as far as networks tell: the address; of IPv6, where everybody has many, the network."""
    host = request.client.host if request.client else ""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host
    return str(ipaddress.ip_network((address, 64), strict=False)) if address.version == 6 else host
