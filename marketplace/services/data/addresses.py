"""Which addresses the hall fetches from: public ones, by http and https, and no others.

A provider gives an address, and the hall's own machine asks it. Without this module that would be
a way for anybody into the network the hall stands in.
"""

from __future__ import annotations

import ipaddress
import re
import socket
from dataclasses import dataclass
from threading import Thread
from urllib.parse import SplitResult, urlsplit

from django.conf import settings

from marketplace.errors import N_, FetchFailed

LENGTH_MAX = 2000
PORTS = {80, 443}
PORTS_FROM = 1024
Address = ipaddress.IPv4Address | ipaddress.IPv6Address
# Reserved, shared or somebody's own, beyond what the standard library calls not global: anycast
# relays, a cloud's own services, old site-local addresses, translations into other networks.
NEVER = tuple(
    ipaddress.ip_network(one)
    for one in (
        "0.0.0.0/8",
        "::/96",
        "100.64.0.0/10",
        "168.63.129.16/32",
        "192.0.0.0/24",
        "192.88.99.0/24",
        "198.18.0.0/15",
        "240.0.0.0/4",
        "64:ff9b:1::/48",
        "100::/64",
        "2001::/23",
        "fc00::/7",
        "fe80::/10",
        "fec0::/10",
    )
)
TRANSLATED = ipaddress.IPv6Network("64:ff9b::/96")


@dataclass(frozen=True)
class Target:
    """An address that may be asked, with the host resolved once: what is connected to."""

    scheme: str
    host: str
    port: int
    path: str
    addresses: tuple[Address, ...]

    @property
    def url(self) -> str:
        return f"{self.scheme}://{self.authority}{self.path}"

    @property
    def authority(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        usual = 443 if self.scheme == "https" else 80
        return host if self.port == usual else f"{host}:{self.port}"


def target_of(url: str, *, seconds: float) -> Target:
    """Return what to connect to for an address.

    Parameters
    ----------
    url : str
        As the provider or a redirect gave it.
    seconds : float
        How long resolving the host may take. [s]

    Raises
    ------
    FetchFailed
        The address has another scheme, is no address, carries credentials, or leads anywhere but
        to public addresses.
    """
    parts = _parsed(url)
    host = _host(parts)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    allows_loopback: bool = settings.FETCH_ALLOWS_LOOPBACK
    addresses = _resolved(host, port, seconds)
    for address in addresses:
        if not may_ask(address, allows_loopback=allows_loopback):
            raise FetchFailed(
                "address_private",
                N_("{host} is not a public address. Give one that anybody can reach."),
                host=host,
            )
    is_loopback = all(one.is_loopback for one in addresses)
    if port not in PORTS and port < PORTS_FROM and not is_loopback:
        raise FetchFailed(
            "address_port",
            N_("Port {port} isn't one of the web. Publish at port 80 or 443, or above 1023."),
            port=port,
        )
    path = parts.path or "/"
    if parts.query:
        path = f"{path}?{parts.query}"
    return Target(parts.scheme, host, port, path, addresses)


def may_ask(address: Address, *, allows_loopback: bool = False) -> bool:
    """Return whether an address is public, also the one that may be wrapped in it."""
    if allows_loopback and address.is_loopback:
        return True
    inner = _wrapped(address)
    if inner is not None:
        # A wrapped public address gains nothing by its wrapping, so that none is taken.
        return False
    if any(address in network for network in NEVER if network.version == address.version):
        return False
    return address.is_global and not address.is_multicast


def _wrapped(address: Address) -> Address | None:
    if isinstance(address, ipaddress.IPv4Address):
        return None
    if address in TRANSLATED:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    teredo = address.teredo
    return address.ipv4_mapped or address.sixtofour or (teredo[1] if teredo else None)


def _parsed(url: str) -> SplitResult:
    # A backslash is part of the host for some readers and its end for others.
    if len(url) > LENGTH_MAX or not re.fullmatch(r"[!-\[\]-~]+", url):
        raise FetchFailed(
            "address_form",
            N_("This is no address of the web. Write it in full, without spaces, signs encoded."),
        )
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as e:
        raise FetchFailed("address_form", N_("This is no address of the web.")) from e
    if parts.scheme not in settings.FETCH_SCHEMES:
        raise FetchFailed(
            "address_scheme",
            N_("The hall fetches by {schemes} alone."),
            schemes=", ".join(settings.FETCH_SCHEMES),
        )
    if parts.username is not None or parts.password is not None:
        raise FetchFailed(
            "address_credentials",
            N_("An address must not carry a name or password: it is shown and logged."),
        )
    if not parts.hostname or port == 0:
        raise FetchFailed("address_form", N_("This is no address of the web."))
    return parts


def _host(parts: SplitResult) -> str:
    host = (parts.hostname or "").rstrip(".")
    if not re.fullmatch(r"[a-z0-9._:-]{1,253}", host):
        raise FetchFailed("address_form", N_("This is no address of the web."))
    return host


def _resolved(host: str, port: int, seconds: float) -> tuple[Address, ...]:
    """Resolve once; the system's resolver knows no deadline, so that it runs beside."""
    found: list[Address] = []

    def resolve() -> None:
        try:
            answers = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError):
            return
        found.extend(ipaddress.ip_address(str(answer[4][0]).split("%")[0]) for answer in answers)

    resolver = Thread(target=resolve, daemon=True)
    resolver.start()
    resolver.join(seconds)
    addresses = tuple(dict.fromkeys(found))
    if resolver.is_alive() or not addresses:
        raise FetchFailed(
            "host_unknown", N_("Nobody knows the host {host}. Look at the address."), host=host
        )
    return addresses
