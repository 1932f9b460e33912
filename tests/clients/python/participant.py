"""One person who uses the lobby from Python. The protocol on stdin and stdout is in ../README.md."""

import json
import os
import sys
import threading
from datetime import datetime, timezone

import requests
import socketio

ANSWER_WITHIN_S = 10
EVENTS = ["new_message", "user_joined", "user_left", "session", "typing", "error"]

url = sys.argv[1]
transports = os.environ.get("LOBBY_TRANSPORTS", "websocket").split(",")
cookies = os.environ.get("LOBBY_COOKIES", "http")
limit = float(os.environ.get("LOBBY_TIME_LIMIT", "60"))

# The lobby under test is on this machine; a proxy of the surroundings does not know it.
os.environ["no_proxy"] = "*"

http = requests if cookies == "none" else requests.Session()
tabs = {}
# The client calls every handler in a thread of its own; a line must not be torn by another.
stdout_lock = threading.Lock()


def show(**line):
    with stdout_lock:
        sys.stdout.write(json.dumps(line) + "\n")
        sys.stdout.flush()


def request(method, path, body=None):
    response = http.request(method, url + path, json=body, timeout=ANSWER_WITHIN_S)
    return {"status": response.status_code, "body": response.json()}


def login(pseudonym):
    return request("POST", "/login", {"pseudonym": pseudonym})


def users(sort_by=None):
    return request("GET", f"/users?sort_by={sort_by}" if sort_by else "/users")


def logout(pseudonym):
    return request("POST", "/logout", {"pseudonym": pseudonym})


def listen(client, event, tab):
    def handler(data):
        show(event=event, tab=tab, data=data)

    client.on(event, handler)


def connect(tab="main"):
    client = socketio.Client(http_session=http) if cookies == "all" else socketio.Client()
    tabs[tab] = client
    for event in [*EVENTS, "disconnect", "connect_error"]:
        listen(client, event, tab)
    client.on("connect", lambda: show(event="connect", tab=tab, data=None))
    client.connect(url, transports=transports, wait_timeout=ANSWER_WITHIN_S)
    return {}


def message(sender, content):
    return {"sender": sender, "content": content, "timestamp": datetime.now(timezone.utc).isoformat()}


def send(sender, content, tab="main"):
    tabs[tab].emit("send_message", message(sender, content))
    return {}


def send_with_ack(sender, content, tab="main"):
    return {"ack": tabs[tab].call("send_message", message(sender, content), timeout=ANSWER_WITHIN_S)}


def typing(tab="main", to=None):
    tabs[tab].emit("typing", {"to": to} if to else None)
    return {}


def transport(tab="main"):
    return {"transport": tabs[tab].transport()}


def disconnect(tab="main"):
    tabs[tab].disconnect()
    return {}


COMMANDS = {
    command.__name__: command
    for command in (login, users, logout, connect, send, send_with_ack, typing, transport, disconnect)
}


def obey(name, args):
    command = COMMANDS[name]
    try:
        show(answer=name, **command(**args))
    except Exception as error:
        show(answer=name, error=str(error) or type(error).__name__)


def fail(sentence):
    print(sentence, file=sys.stderr, flush=True)
    os._exit(1)


def main():
    timer = threading.Timer(limit, fail, [f"not done within {limit:g} s"])
    timer.daemon = True
    timer.start()
    # A handler that raises would only print a trace; the test must see it.
    threading.excepthook = lambda failure: fail(f"a handler failed: {failure.exc_value!r}")

    for line in sys.stdin.buffer:
        args = json.loads(line)
        name = args.pop("do")
        if name == "quit":
            break
        obey(name, args)
    # The client's threads still run; waiting for them, or tearing them down in mid-write, is nobody's test.
    os._exit(0)


main()
