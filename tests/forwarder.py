"""A proxy between two programs of a test that does what networks do: fall silent, hang up, lead elsewhere."""

import contextlib
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

Address = str | tuple[str, int]  # the path of a Unix socket, or host and port


class Forwarder:
    """Hands bytes on between its own port and a backend. A connection that fell silent stays so for ever."""

    def __init__(self, backend: Address) -> None:
        self.backend: Address | None = backend  # of connections that come from now on; None: they are held
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._links = list[_Link]()
        self._held = list[socket.socket]()
        self._serving = threading.Thread(target=self._serve, daemon=True)
        self._serving.start()

    def silence(self, new_ones_too: bool = True) -> None:
        """No byte of the open connections arrives any more, and nobody is told that they have ended."""
        if new_ones_too:
            self.backend = None
        for link in self._links:
            link.is_silent = True

    def mute(self) -> None:
        """What is said on the open connections arrives at the backend, but no answer comes back."""
        for link in self._links:
            link.is_mute = True

    def hang_up(self) -> None:
        """Every connection that is not silent ends."""
        for link in self._links:
            if not link.is_silent:
                link.end()

    def close(self) -> None:
        """All of it."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._serving.join()
        for link in self._links:
            link.close()
        for client in self._held:
            client.close()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):  # closed
            while True:
                client, _ = self._listener.accept()
                if self.backend is None:
                    self._held.append(client)
                else:
                    self._connect(client, self.backend)

    def _connect(self, client: socket.socket, backend: Address) -> None:
        server = socket.socket(socket.AF_UNIX if isinstance(backend, str) else socket.AF_INET)
        try:
            server.connect(backend)
        except OSError:  # nobody there
            client.close()
            server.close()
            return
        self._links.append(_Link(client, server))


class _Link:
    """One connection, with a thread for each way."""

    def __init__(self, client: socket.socket, server: socket.socket) -> None:
        self._ends = client, server
        self.is_silent = self.is_mute = False
        ways = (client, server), (server, client)
        self._pumps = [threading.Thread(target=self._pump, args=way, daemon=True) for way in ways]
        for pump in self._pumps:
            pump.start()

    def _pump(self, source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                if self.is_silent or (self.is_mute and source is self._ends[1]):
                    return
                sink.sendall(data)
        if not self.is_silent:
            self.end()

    def end(self) -> None:
        for one in self._ends:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self.end()
        for pump in self._pumps:
            pump.join()
        for one in self._ends:
            one.close()


@contextmanager
def forwarding(backend: Address) -> Iterator[Forwarder]:
    """One that is open until the block ends."""
    forwarder = Forwarder(backend)
    try:
        yield forwarder
    finally:
        forwarder.close()
