"""Response bodies, decompressed within bounds: a few bytes on the wire cannot fill the memory."""

import contextlib
import zlib
from collections.abc import AsyncIterator

import httpx2

STEP = 65536
MAGIC = b"\x1f\x8b"


class TooLarge(Exception):
    """The decoded body is larger than allowed."""


class BadEncoding(Exception):
    """The body's content coding cannot be undone."""


async def read_body(response: httpx2.Response, limit: int) -> bytes:
    """The decoded body, at most `limit` bytes; only `gzip` (the one coding we ask for) and none are understood."""
    coding = response.headers.get("content-encoding", "identity").strip().lower()
    if coding in ("", "identity"):
        async with contextlib.aclosing(response.aiter_raw()) as chunks:
            return await _plain(chunks, limit)
    if coding in ("gzip", "x-gzip"):
        async with contextlib.aclosing(response.aiter_raw()) as chunks:
            return await _gunzip(chunks, limit)
    named = repr(coding) if len(coding) <= 20 else "of a long name"
    raise BadEncoding(f"content coding {named} was not asked for")


async def _plain(chunks: AsyncIterator[bytes], limit: int) -> bytes:
    body = bytearray()
    async for chunk in chunks:
        body += chunk
        if len(body) > limit:
            raise TooLarge
    return bytes(body)


async def _gunzip(chunks: AsyncIterator[bytes], limit: int) -> bytes:
    """One gzip member after another (RFC 1952); what follows the last and is none is left alone, as gzip does."""
    body = bytearray()
    unzip = zlib.decompressobj(wbits=31)
    pending = b""
    try:
        async for chunk in chunks:
            pending += chunk
            while pending and not (unzip.eof and len(pending) < len(MAGIC)):
                if unzip.eof:
                    if not pending.startswith(MAGIC):
                        return bytes(body)
                    unzip = zlib.decompressobj(wbits=31)
                body += unzip.decompress(pending, STEP)
                pending = unzip.unused_data if unzip.eof else unzip.unconsumed_tail
                if len(body) > limit:
                    raise TooLarge
    except zlib.error as error:
        raise BadEncoding("the gzip data is damaged") from error
    if not unzip.eof:
        raise BadEncoding("the gzip data ends early")
    return bytes(body)
