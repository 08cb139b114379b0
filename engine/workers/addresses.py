"""Which hosts the HTTP connector may call, and at which addresses: the office's own network must not be reachable from a model.

A name is looked up once, every address that comes back is checked, and the connection goes to the address that was checked;
a second look-up could give another one (DNS rebinding).
"""

from __future__ import annotations

import re
import socket
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address

from engine.errors import EngineError
from engine.workers.work import JobFailed

DEFAULT_PORTS = {"http": 80, "https": 443}
ENTRY = re.compile(r"(?P<any>\*\.)?(?P<name>[a-z0-9]([a-z0-9.-]*[a-z0-9])?|\[[0-9a-f:.]+\])(:(?P<port>\d{1,5}))?", re.IGNORECASE)
"""``name``, ``name:port``, ``*.suffix``, ``*.suffix:port``, ``[IPv6]:port``."""

_NAT64 = IPv6Network("64:ff9b::/96")

Resolve = Callable[[str, int], list[str]]
"""Host and port → addresses; raises ``OSError``."""


def resolve(host: str, port: int) -> list[str]:
    """The addresses of a host, as the machine knows them, in the order of preference."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


@dataclass(frozen=True)
class HostRule:
    """One entry of an allow-list; without a port it allows the usual port of the scheme only."""

    name: str
    any_below: bool
    port: int | None

    @classmethod
    def of(cls, entry: str) -> HostRule:
        """Raises :class:`EngineError` for an entry that is none of the forms of :data:`ENTRY`."""
        found = ENTRY.fullmatch(entry)
        if found is None:
            raise EngineError("“%(entry)s” is no host: write name, name:port or *.suffix.", entry=entry)
        return cls(found["name"].lower().strip("[]"), found["any"] is not None, int(found["port"]) if found["port"] else None)

    def allows(self, scheme: str, host: str, port: int) -> bool:
        named = host.endswith(f".{self.name}") if self.any_below else host == self.name
        return named and port == (DEFAULT_PORTS[scheme] if self.port is None else self.port)


class AllowedHosts:
    """The two allow-lists: ``public`` hosts, which must have public addresses, and ``internal`` ones, which may have any."""

    def __init__(self, public: Iterable[str], internal: Iterable[str], resolve: Resolve = resolve) -> None:
        self._public = [HostRule.of(entry) for entry in public]
        self._internal = [HostRule.of(entry) for entry in internal]
        self._resolve = resolve

    def check(self, scheme: str, host: str, port: int) -> None:
        """Raises :class:`JobFailed` for a scheme, host or port that is on neither list."""
        if scheme not in DEFAULT_PORTS:
            raise JobFailed("Only http and https addresses can be called, not “%(scheme)s”.", retry=False, scheme=scheme)
        if not any(rule.allows(scheme, host, port) for rule in (*self._public, *self._internal)):
            raise JobFailed(
                "“%(host)s:%(port)d” is not among the hosts that may be called. An administrator can add it to “http_hosts” in the settings.",
                retry=False,
                host=host,
                port=port,
            )

    def address(self, scheme: str, host: str, port: int) -> str:
        """The address to connect to.  Raises :class:`JobFailed` when the host is unknown, or any of its addresses is forbidden."""
        self.check(scheme, host, port)
        try:
            found = self._resolve(host, port)
        except (OSError, UnicodeError) as trouble:
            raise JobFailed("The host “%(host)s” cannot be found (%(why)s).", host=host, why=str(trouble)) from trouble
        if not found:
            raise JobFailed("The host “%(host)s” has no address.", host=host)
        may_be_private = any(rule.allows(scheme, host, port) for rule in self._internal)
        for address in found:
            if not (is_single(address) if may_be_private else is_public(address)):
                raise JobFailed(
                    "“%(host)s” has the address %(address)s, which is not a public one. If it may be called, an administrator can add it to “http_internal_hosts” in the settings.",
                    retry=False,
                    host=host,
                    address=address,
                )
        return found[0]


def is_single(address: str) -> bool:
    """Whether it is the address of one machine at all (not a group's, not the empty one)."""
    return all(not (each.is_multicast or each.is_unspecified) and str(each) != "255.255.255.255" for each in _meant(address))


def is_public(address: str) -> bool:
    """Whether it is the address of a machine in the public Internet: not loopback, private, link-local, multicast or reserved."""
    return is_single(address) and all(
        each.is_global and not each.is_reserved and not getattr(each, "is_site_local", False) for each in _meant(address)
    )


def _meant(address: str) -> list[IPv4Address | IPv6Address]:
    """The addresses that are reached: an IPv6 address can wrap an IPv4 one in four ways."""
    outer = ip_address(address)
    if isinstance(outer, IPv4Address):
        return [outer]
    if outer.ipv4_mapped is not None:
        return [outer.ipv4_mapped]
    if IPv6Address(int(outer)) in _NAT64:
        return [IPv4Address(int(outer) & 0xFFFFFFFF)]
    return [outer, *(part for part in (outer.sixtofour, *(outer.teredo or ())) if part is not None)]
