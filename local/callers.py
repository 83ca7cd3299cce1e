"""Which requests are accepted: those of programs on this machine and, with a bridge, of containers."""

from collections.abc import Mapping
from ipaddress import IPv4Address, IPv4Interface
from typing import Final
from urllib.parse import urlsplit

from local.asgi import respond
from local.types import Scope, Send

LOOPBACK: Final = "127.0.0.1"
"""The address on which the endpoint always listens."""

CONTAINER_HOST: Final = "host.docker.internal"
"""The name by which containers reach this machine."""


def from_this_machine(headers: Mapping[bytes, bytes]) -> bool:
    """Whether a request names this machine as its host, and does not come from a page of another site.

    The pages of functions are served without a signature. So a page in a developer's browser must not reach
    them: neither with that page's own Origin, nor by a host name of that site which resolves to this
    machine.
    """
    if headers.get(b"sec-fetch-site", b"none") not in (b"none", b"same-origin"):
        return False
    hosts = [headers.get(b"host", b"").decode("latin-1")]
    for name in (b"origin", b"referer"):
        if page := headers.get(name):
            hosts.append(page.decode("latin-1").partition("://")[2] or "nowhere")
    names = [_name(host) for host in hosts]
    return all(name in (LOOPBACK, "localhost") or name.endswith(".localhost") for name in names)


def _name(host: str) -> str:
    """The host's name without its port; empty if the text is no host's."""
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""


def admitted(scope: Scope, bridge: IPv4Interface | None) -> Scope | None:
    """The request, if the endpoint accepts it; else None. `bridge` is Docker's, if containers may call.

    A container's request then names the host as a program on this machine would.
    """
    if bridge and scope["server"][0] == str(bridge.ip):
        # Linux accepts packets for its addresses on any interface, so the source address is checked.
        client = IPv4Address(scope["client"][0])
        if client not in bridge.network and not client.is_loopback:
            return None
        scope = {**scope, "headers": [(name, _renamed(name, value)) for name, value in scope["headers"]]}
    return scope if from_this_machine(dict(scope["headers"])) else None


def _renamed(name: bytes, value: bytes) -> bytes:
    """A header of a container's request. In `host`, after a bucket's name too, this machine is localhost."""
    return value.replace(CONTAINER_HOST.encode(), b"localhost") if name == b"host" else value


async def refuse(scope: Scope, send: Send) -> None:
    """Answer 403."""
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": 1008})
        return
    body = b"AWS on this machine accepts requests from this machine only\n"
    await respond(send, 403, {"Content-Type": "text/plain"}, body)
