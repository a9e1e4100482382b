"""A faulty network between two programs on this machine."""

import asyncio
import socket
import struct
import threading
from collections.abc import Coroutine
from enum import Enum, auto
from typing import Any, Self

from relay.demo.ports import LOOPBACK

CHUNK_BYTES = 65_536
REPLY_SECONDS = 10.0
RESET_ON_CLOSE = struct.pack("ii", 1, 0)


class Mode(Enum):
    """What happens to what is sent through the proxy."""

    PASS = auto()
    """Everything goes through, at least `delay` seconds late."""
    HOLD = auto()
    """Nothing moves and nothing is read; all of it goes on when the mode changes."""
    BLACK_HOLE = auto()
    """Connections are accepted, what they carry vanishes, nothing is ever answered."""
    DROP_RESPONSES = auto()
    """The server gets every request, the client no answer."""
    CUT = auto()
    """Connections are reset, new ones too."""


class TcpProxy:
    """Listens on a loopback port and passes to `target`; `mode` and `delay` may change any time.

    A change is in force when the assignment returns. A connection that lost something is reset
    when it would pass again, since neither end could make sense of the rest.
    """

    def __init__(self, target: tuple[str, int]) -> None:
        self.target = target
        self.address: tuple[str, int] = (LOOPBACK, 0)
        self._mode = Mode.PASS
        self._delay_seconds = 0.0
        self._connections: set[_Connection] = set()
        self._loop = asyncio.new_event_loop()
        self._flowing = asyncio.Event()
        self._thread = threading.Thread(target=self._loop.run_forever, name="tcp-proxy")

    @property
    def mode(self) -> Mode:
        """What happens now; assign to change it."""
        return self._mode

    @mode.setter
    def mode(self, mode: Mode) -> None:
        self._run(self._change(mode))

    @property
    def delay(self) -> float:
        """Seconds by which each piece is late, in each direction; assign to change it."""
        return self._delay_seconds

    @delay.setter
    def delay(self, seconds: float) -> None:
        self._delay_seconds = seconds

    @property
    def connections(self) -> int:
        """How many connections are open now."""
        return len(self._connections)

    def cut(self) -> None:
        """Reset the connections of this moment; new ones are as good as the mode lets them."""
        self._run(self._reset_all())

    def __enter__(self) -> Self:
        self._thread.start()
        self._run(self._listen())
        return self

    def __exit__(self, *exception: object) -> None:
        self._run(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _run(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(REPLY_SECONDS)

    async def _listen(self) -> None:
        self._flowing.set()
        self._server = await asyncio.start_server(self._serve, *self.address)
        self.address = self._server.sockets[0].getsockname()

    async def _change(self, mode: Mode) -> None:
        if mode is self._mode:
            return
        self._mode = mode
        if mode is Mode.HOLD:
            self._flowing.clear()
        else:
            self._flowing.set()
        if mode not in {Mode.HOLD, Mode.BLACK_HOLE}:
            await self._reset_all(only_lossy=mode is not Mode.CUT)

    async def _reset_all(self, *, only_lossy: bool = False) -> None:
        for connection in list(self._connections):
            if connection.lossy or not only_lossy:
                connection.reset()

    async def _close(self) -> None:
        self._server.close()
        await self._reset_all()
        this = asyncio.current_task()
        others = [task for task in asyncio.all_tasks() if task is not this]
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = _Connection(writer)
        self._connections.add(connection)
        try:
            await self._relay(connection, reader)
        except (OSError, asyncio.CancelledError):
            # Closing cancels it, which Python 3.11 would report as an error of its own.
            connection.reset()
        finally:
            connection.close()
            self._connections.discard(connection)

    async def _relay(self, connection: "_Connection", client: asyncio.StreamReader) -> None:
        await self._flowing.wait()
        if self._mode is Mode.CUT:
            connection.reset()
        elif self._mode is Mode.BLACK_HOLE:
            connection.lossy = True
            while await client.read(CHUNK_BYTES):
                pass
        else:
            server, to_server = await connection.reach(self.target)
            async with asyncio.TaskGroup() as directions:
                directions.create_task(self._pump(connection, client, to_server))
                directions.create_task(self._pump(connection, server, connection.client))

    async def _pump(
        self, connection: "_Connection", source: asyncio.StreamReader, sink: asyncio.StreamWriter
    ) -> None:
        end = connection.close
        try:
            while piece := await source.read(CHUNK_BYTES):
                if self._delay_seconds:
                    await asyncio.sleep(self._delay_seconds)
                await self._flowing.wait()
                if self._loses(connection, sink):
                    connection.lossy = True
                else:
                    sink.write(piece)
                    await sink.drain()
        except OSError:
            end = connection.reset
        await self._flowing.wait()
        # The news that the other end has gone gets lost like everything else.
        if self._loses(connection, sink):
            connection.lossy = True
        else:
            end()

    def _loses(self, connection: "_Connection", sink: asyncio.StreamWriter) -> bool:
        responses = sink is connection.client
        return self._mode is Mode.BLACK_HOLE or (self._mode is Mode.DROP_RESPONSES and responses)


class _Connection:
    """Both ends of one connection through the proxy."""

    def __init__(self, client: asyncio.StreamWriter) -> None:
        self.client = client
        self.server: asyncio.StreamWriter | None = None
        self.lossy = False

    async def reach(
        self, target: tuple[str, int]
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        reader, self.server = await asyncio.open_connection(*target)
        return reader, self.server

    def reset(self) -> None:
        for end in (self.client, self.server):
            if end is not None and not end.is_closing():
                peer: socket.socket = end.get_extra_info("socket")
                peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
                end.transport.abort()

    def close(self) -> None:
        for end in (self.client, self.server):
            if end is not None:
                end.close()
