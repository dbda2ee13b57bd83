"""Answers of the SOAP port as ASGI sends them."""

from collections.abc import Awaitable, Callable
from typing import Any, Final

from gateway.errors import GatewayError, row
from gateway.values import Reply

Send = Callable[[dict[str, Any]], Awaitable[None]]

PLAIN: Final = "text/plain; charset=utf-8"
_BUFFERED: Final = 65_536  # octets of an answer that go out at once; those that follow wait for the peer to read


def bare(error: GatewayError) -> Reply:
    """A status with a word."""
    seen = row(error)
    return Reply(status=seen.http, octets=b"Refused.\n", content_type=PLAIN,
                 retry_after=error.retry_after or seen.retry_after)


async def send_plain(send: Send, status: int, text: str, *, allow: str | None = None, close: bool = False) -> None:
    reply = Reply(status=status, octets=text.encode() + b"\n", content_type=PLAIN)
    await send_reply(send, reply, allow=allow, close=close)


async def send_start(send: Send, reply: Reply, length: int, *, allow: str | None = None, close: bool = False) -> None:
    headers = [(b"content-type", reply.content_type.encode("latin-1")), (b"content-length", b"%d" % length)]
    if reply.retry_after is not None:
        headers.append((b"retry-after", b"%d" % reply.retry_after))
    if allow is not None:
        headers.append((b"allow", allow.encode()))
    if close:
        headers.append((b"connection", b"close"))
    await send({"type": "http.response.start", "status": reply.status, "headers": headers})


async def send_reply(send: Send, reply: Reply, *, allow: str | None = None, close: bool = False) -> None:
    await send_start(send, reply, len(reply.octets), allow=allow, close=close)
    for begin in range(0, len(reply.octets), _BUFFERED):
        part, more = reply.octets[begin:begin + _BUFFERED], begin + _BUFFERED < len(reply.octets)
        await send({"type": "http.response.body", "body": part, "more_body": more})
    if not reply.octets:
        await send({"type": "http.response.body", "body": b""})
