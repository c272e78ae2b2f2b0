"""The life of the server process: listen, serve, drain, end.

SIGTERM: no new requests, the running ones may finish for the grace time, then status 0. A second
signal, and Ctrl-C at once: running requests end with an error event, models are unloaded.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
from collections.abc import Callable, Iterator
from typing import Any

import uvicorn
from fastapi import FastAPI

from pyinfer.diagnose.levels import level_line
from pyinfer.errors import UsageError
from pyinfer.machine import default_threads
from pyinfer.server.app import create_app
from pyinfer.server.http.accept import (
    MAX_CONNECTIONS,
    REFUSED_AT_ONCE,
    Acceptor,
    connections_for,
    raise_descriptor_limit,
)
from pyinfer.server.http.protocol import StrictProtocol
from pyinfer.server.http.request_log import LOG, logging_to_stderr
from pyinfer.server.http.settings import HttpSettings
from pyinfer.serving.service import Service
from pyinfer.serving.settings import ServerSettings

KEEP_ALIVE_SECONDS = 75
BACKLOG = 1024
#: From the end of the last answer until connections are closed by force.
CLOSE_SECONDS = 2
STATUS_INTERRUPT = 130

Announce = Callable[[str], None]


def serve(settings: ServerSettings, http: HttpSettings, announce: Announce) -> int:
    """Serve until a signal comes.

    Parameters
    ----------
    settings : ServerSettings
    http : HttpSettings
    announce : callable
        Gets the line that says where the server listens, what it serves and with which threads.

    Returns
    -------
    int
        Exit status: 0 after SIGTERM, 130 after an interrupt.

    Raises
    ------
    UsageError
        Settings that cannot be meant, or the address cannot be used.
    PyinferError
        A model of ``--preload`` cannot be loaded.
    """
    http.check()
    with logging_to_stderr(), contextlib.closing(listen(http.host, http.port)) as listener:
        return asyncio.run(_serve(settings, http, listener, announce))


async def _serve(
    settings: ServerSettings, http: HttpSettings, listener: socket.socket, announce: Announce
) -> int:
    service = Service(settings)
    app = create_app(service, http)
    config = uvicorn.Config(
        app,
        http=StrictProtocol,
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        backlog=BACKLOG,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=CLOSE_SECONDS,
    )
    line = start_line(settings, listener, app.state.default_model)
    server = _Server(config, app, service, lambda: announce(line))
    await server.serve(sockets=[listener])
    if server.failure is not None:
        raise server.failure
    return server.status


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens on the first address of ``host``.

    Raises
    ------
    UsageError
        The host is unknown, or the address is in use.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except OSError as error:
        raise UsageError(f"cannot listen on {host}: {error.strerror}") from None
    listener = socket.socket(family, kind, protocol)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, int(host != "::"))
        listener.bind(address)
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        raise UsageError(
            f"cannot listen on {host}, port {port}: {error.strerror}",
            hint="is another server running? --port takes another one",
        ) from None
    listener.setblocking(False)
    return listener


def start_line(settings: ServerSettings, listener: socket.socket, model: str) -> str:
    """Where the server listens, what it serves, with which threads and kernels, and why."""
    host, port = listener.getsockname()[:2]
    shown = f"[{host}]" if ":" in host else host
    models = ", ".join(settings.preload) or model
    if settings.load.threads is not None:
        threads, reason = settings.load.threads, "as told"
    else:
        choice = default_threads()
        threads, reason = choice.count, choice.reason
    return (
        f"listening on http://{shown}:{port} (models: {models}, others on demand; "
        f"threads: {threads}, {reason}; kernels: {level_line(settings.load.isa)})"
    )


class _Server(uvicorn.Server):
    """Uvicorn with our signals, which drain first.

    Attributes
    ----------
    failure : BaseException or None
        Why the server cannot serve.
    status : int
        Exit status.
    """

    def __init__(
        self, config: uvicorn.Config, app: FastAPI, service: Service, announce: Callable[[], None]
    ) -> None:
        super().__init__(config)
        self._app, self._service, self._announce = app, service, announce
        self._ending: list[asyncio.Task[None]] = []
        self.failure: BaseException | None = None
        self.status = 0

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Answer SIGTERM and SIGINT while the block runs."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._signal, number)
        try:
            yield
        finally:
            for number in (signal.SIGTERM, signal.SIGINT):
                loop.remove_signal_handler(number)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen; a model that cannot be loaded at the start ends the server.

        It is announced when signals are ours: who reads it may send one at once.
        """
        await super().startup([])
        if self.started:
            self.servers += [self._acceptor(listener) for listener in sockets or ()]
            self._announce()
        started: asyncio.Task[None] = self._app.state.started
        started.add_done_callback(self._started)

    def _acceptor(self, listener: socket.socket) -> Any:
        """Stands in for the server of asyncio that uvicorn would make."""
        descriptors = raise_descriptor_limit()
        most = connections_for(descriptors)
        if most < MAX_CONNECTIONS:
            facts = {"open_files": descriptors, "connections": most}
            LOG.warning("the limit of open files bounds the connections", extra={"facts": facts})
        connections = self.server_state.connections

        class Limited(StrictProtocol):
            max_connections = most

        def protocol() -> asyncio.Protocol:
            return Limited(self.config, self.server_state, self.lifespan.state)

        def has_room(coming: int) -> bool:
            return len(connections) + coming < most + REFUSED_AT_ONCE

        return Acceptor(listener, protocol, has_room)

    def _started(self, task: asyncio.Task[None]) -> None:
        if task.cancelled() or self._ending:
            return  # a model whose load the end of the server stopped is no failure
        self.failure = task.exception()
        if self.failure is not None:
            self.should_exit = True
        else:
            LOG.info("ready")

    def _signal(self, number: int) -> None:
        if number == signal.SIGINT:
            self.status = STATUS_INTERRUPT
        patient = number == signal.SIGTERM and not self._ending
        grace = self._service.settings.grace if patient else 0.0
        facts = {"signal": signal.Signals(number).name, "grace_s": grace}
        LOG.info("ending", extra={"facts": facts})
        self._ending.append(asyncio.get_running_loop().create_task(self._end(grace)))

    async def _end(self, grace: float) -> None:
        try:
            await self._service.drain(grace)
        finally:
            self.should_exit = True
