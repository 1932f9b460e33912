"""What Socket.IO promises, asked of a server by an unmodified python-socketio. How it is run is in ../README.md."""

import json
import os
import queue
import sys
import threading

import socketio
import websocket

WAIT_S = 10
LIMIT_S = 60
MAX_PAYLOAD = 1_000_000
LARGE = 999_000
# In polling, binary data travels in base64, four bytes for three.
LARGE_IN_BASE64 = 700_000

url, transports = sys.argv[1], sys.argv[2].split(",")
final_transport = transports[-1]

# The server under test is on this machine; a proxy of the surroundings does not know it.
os.environ["no_proxy"] = "*"

# The client reads each message in a thread of its own, also the attachments of one packet, and counts on each to be
# done before the next comes. So it is, as long as no thread is interrupted that does not wait for anything.
sys.setswitchinterval(1)

opened = []


class Client(socketio.Client):
    """A client whose events wait to be expected."""

    def __init__(self, namespaces=("/",), **options):
        super().__init__(reconnection_delay=0.01, reconnection_delay_max=0.1, randomization_factor=0, **options)
        self.events = queue.Queue()
        opened.append(self)
        for namespace in namespaces:
            for name in ("connect", "disconnect"):
                self.on(name, self.noting(name), namespace=namespace)
            self.on("*", lambda name, *args: self.events.put((name, args)), namespace=namespace)
        self.join(list(namespaces))

    def noting(self, name):
        return lambda *args: self.events.put((name, args))

    def join(self, namespaces):
        self.connect(url, transports=transports, namespaces=namespaces, wait_timeout=WAIT_S)
        for _ in namespaces:
            self.expect("connect")
        self.settled()

    def settled(self):
        assert self.transport() == final_transport, self.transport()

    def expect(self, name):
        """The arguments of the next event, which has to be this one."""
        event, args = self.events.get(timeout=WAIT_S)
        assert event == name, (event, args)
        return args

    def echo(self, name, *args, namespace=None):
        """Emits, and waits for the event of the same name that the server sends back."""
        self.emit(name, args, namespace=namespace)
        equal(self.expect(name), args)

    def ask(self, name, *args, namespace=None):
        """Emits, and waits for the answer: its argument, or a tuple of several."""
        return self.call(name, args, namespace=namespace, timeout=WAIT_S)

    def leave(self):
        # Told to disconnect while a request of its is under way, the client forgets to say so to the server, and then waits
        # for the next ping.
        if self.connected:
            self.eio.queue.join()
        self.shutdown()


def equal(left, right):
    # Large values would only hide the line in which they stand.
    assert left == right, f"{left!r:.200} is not {right!r:.200}"


def filler(size):
    """Data with which an `echo` event is a packet of so many bytes, the Engine.IO type included."""
    return "x" * (size - len('42["echo",""]'))


def events():
    client = Client()
    for n in range(80):
        client.emit("n", n)
    # Handlers run in threads, so the order within a burst is anybody's.
    equal(sorted(client.expect("n") for _ in range(80)), [(n,) for n in range(80)])
    client.echo("several", 1, "two", {"three": [3, None]})


def acknowledged_by_server():
    client = Client()
    equal(client.ask("echo", 1, "two", {"three": [3, None]}), (1, "two", {"three": [3, None]}))
    equal(client.ask("echo"), None)


def acknowledged_by_client():
    client = Client()
    client.on("question", lambda n: (n + 1, "indeed"))
    equal(client.ask("ask", 41), (42, "indeed"))


def binary_events():
    client = Client()
    client.echo("echo", b"\x00\x01\xff", {"nested": [b"ab"]}, "text", b"")


def binary_acknowledgements():
    client = Client()
    data = b"\x00\x01\xff"
    equal(client.ask("echo", data, {"nested": data}), (data, {"nested": data}))
    client.on("question", lambda data: {"reversed": data[::-1]})
    equal(client.ask("ask", data), {"reversed": data[::-1]})


def beyond_ascii():
    client = Client()
    data = ("Zoë", "李明", "👩‍🚀", "\0\u2028\"\\", {"ключ": "значение"})
    client.echo("grüße 🎉", *data)
    equal(client.ask("挨拶", *data), data)


def two_namespaces():
    client = Client(namespaces=("/", "/other"))
    client.on("echo", lambda *_: client.events.put(("an event of the other namespace", ())))
    for namespace in ("/", "/other"):
        equal(client.ask("where", namespace=namespace), namespace)
    client.echo("echo", b"\x01", namespace="/other")
    client.emit("leave", namespace="/other")
    equal(client.expect("last"), ("words",))
    equal(client.expect("disconnect"), (client.reason.SERVER_DISCONNECT,))
    equal(client.ask("where"), "/")


def largest_text():
    Client().echo("echo", filler(LARGE))


def largest_binary():
    size = LARGE_IN_BASE64 if final_transport == "polling" else LARGE
    Client().echo("echo", (b"binary \0" * size)[:size])


def too_large():
    client = Client(reconnection=False)
    client.emit("echo", filler(MAX_PAYLOAD + 1))
    # The refusal of the request and the answer of the poll come over two connections, in any order.
    assert client.expect("disconnect")[0] in (client.reason.TRANSPORT_ERROR, client.reason.SERVER_DISCONNECT)
    Client().echo("echo", "still there")


def disconnected_by_server():
    client = Client()
    client.emit("leave")
    equal(client.expect("last"), ("words",))
    equal(client.expect("disconnect"), (client.reason.SERVER_DISCONNECT,))


def reconnects():
    client = Client()
    first = client.sid
    client.emit("cut")
    equal(client.expect("disconnect"), (client.reason.TRANSPORT_ERROR,))
    client.expect("connect")
    client.settled()
    assert client.sid != first
    client.echo("echo", "back again")


def turned_away():
    rivals = []
    client = socketio.Client(reconnection=False)

    def auth():
        """Is asked for between the first answer and the client's own WebSocket: one that was first has that turned away."""
        first = f"ws{url.removeprefix('http')}/socket.io/?EIO=4&transport=websocket&sid={client.eio.sid}"
        rivals.append(websocket.create_connection(first, timeout=WAIT_S))
        return {}

    client.connect(url, auth=auth, wait_timeout=WAIT_S)
    equal(client.transport(), "polling")
    equal(client.call("where", timeout=WAIT_S), "/")
    client.disconnect()
    for rival in rivals:
        rival.close()


SCENARIOS = [
    events,
    acknowledged_by_server,
    acknowledged_by_client,
    binary_events,
    binary_acknowledgements,
    beyond_ascii,
    two_namespaces,
    largest_text,
    largest_binary,
    too_large,
    disconnected_by_server,
    reconnects,
    turned_away,
]


def run(scenario):
    try:
        scenario()
        return {"ok": True}
    except Exception as error:
        return {"ok": False, "error": str(error) or type(error).__name__}
    finally:
        while opened:
            opened.pop().leave()


def fail(sentence):
    print(sentence, file=sys.stderr, flush=True)
    os._exit(1)


def main():
    timer = threading.Timer(LIMIT_S, fail, [f"not done within {LIMIT_S} s"])
    timer.daemon = True
    timer.start()
    # A handler that raises would only print a trace; the test must see it.
    threading.excepthook = lambda failure: fail(f"a handler failed: {failure.exc_value!r}")

    content = True
    for scenario in SCENARIOS:
        outcome = run(scenario)
        content = content and outcome["ok"]
        print(json.dumps({"scenario": scenario.__name__, **outcome}), flush=True)
    # The client's threads may still run; waiting for them, or tearing them down in mid-write, is nobody's test.
    os._exit(0 if content else 1)


main()
