"""Many people who talk, each with a socket of their own, and keep a record of it. The protocol on stdin and stdout is in ../README.md."""

import json
import logging
import os
import random
import sys
import threading
import time

import requests
import socketio

from orders import obey

ANSWER_WITHIN_S = 5
CONNECTED_WITHIN_S = 10
AGAIN_AFTER_S = 0.2
WATCH_EVERY_S = 1
# Refusals that pass: the same is said again.
PASSING = {"busy", "unavailable", "outcome_unknown"}

url = sys.argv[1]
transports = os.environ["LOBBY_TRANSPORTS"].split(",") if "LOBBY_TRANSPORTS" in os.environ else None

# The client handles each packet in a thread of its own, and counts on each to be done before the next comes. So it is, as long as no
# thread is interrupted that does not wait for anything.
sys.setswitchinterval(1)

began = time.monotonic()
# What was said, by id: everybody sees the same, so it is kept once.
messages = {}
# When nobody says anything new any more.
hushed = threading.Event()


class Wire(logging.Handler):
    """What comes over the wire, as the client logs it: in the order in which it reads that, before its threads can change places."""

    def __init__(self, begins, events, warned):
        super().__init__()
        self.begins, self.events, self.warned = begins, events, warned

    def emit(self, record):
        if record.levelno >= logging.WARNING:
            self.warned(record.getMessage())
        if record.msg != "Received packet %s data %s":
            return
        kind, packet = record.args
        if kind != "MESSAGE":
            return
        # The types of Socket.IO: a connection begins, an event comes.
        if packet.startswith("0"):
            self.begins()
        elif packet.startswith("2"):
            name, *data = json.loads(packet[1:])
            if name in self.events:
                self.events[name](*data)


# What the client logs by itself, if nobody says otherwise.
complaints = logging.StreamHandler()
complaints.setLevel(logging.ERROR)


class Talker:
    def __init__(self, name):
        self.name = name
        self.posts, self.faults, self.notes = [], [], []
        self.segments = []
        self.online, self.changes = set(), 0
        # The newest message that the client has handed on, which may be later than it was read.
        self.handed_on = 0
        self.is_silent = False
        # Behind which message it goes on, and behind which it wanted to when it last connected.
        self.log, self.position, self.after = None, None, None
        events = {
            "session": self.session,
            "new_message": self.new_message,
            "user_joined": self.user_joined,
            "user_left": self.user_left,
        }
        wire = logging.Logger(name, logging.INFO)
        wire.addHandler(Wire(self.begin, events, self.note))
        wire.addHandler(complaints)
        self.client = socketio.Client(reconnection_delay_max=2, handle_sigint=False, engineio_logger=wire)
        self.client.on("connect", lambda: self.note("connect"))
        self.client.on("disconnect", self.note)
        self.client.on("connect_error", lambda data=None: self.note(f"connect_error {data}"))
        self.client.on("new_message", self.hand_on)

    def log_in(self):
        login = {"pseudonym": self.name, "claim": True}
        response = requests.post(url + "/login", json=login, timeout=CONNECTED_WITHIN_S)
        response.raise_for_status()
        self.user = response.json()

    def connect(self):
        self.client.connect(url, auth=self.auth, transports=transports, wait_timeout=CONNECTED_WITHIN_S)

    def watch(self):
        """Connects again where the client has given up: it does, now and then, where it is cut while it comes back."""
        was_given_up = False
        while True:
            time.sleep(WATCH_EVERY_S)
            is_given_up = not self.client.connected and self.client._reconnect_task is None
            if is_given_up and was_given_up:
                self.note(f"given up: {self.client.eio.state}")
                try:
                    self.connect()
                except (socketio.exceptions.SocketIOError, ValueError) as error:
                    self.note(error)
            was_given_up = is_given_up

    def state(self):
        """What to know of somebody who is not here."""
        if self.is_here():
            return []
        return [f"now {self.client.eio.state}, coming back: {self.client._reconnect_task is not None}"]

    def auth(self):
        self.after = self.position
        if self.after is None:
            return {"token": self.user["token"]}
        return {"token": self.user["token"], "log": self.log, "after": self.after}

    def is_here(self):
        return self.client.connected and self.segments[-1]["from"] is not None

    def begin(self):
        self.segments.append({"after": self.after, "from": None, "seen": []})

    def session(self, session):
        online = {user["session"] for user in session["users"]}
        # The first list changes nothing: before it nobody was known.
        if self.log is not None:
            self.changes += len(self.online ^ online)
        self.online = online
        segment = self.segments[-1]
        # In the middle of a connection it is the list that begins anew.
        if segment["from"] is not None:
            return
        goes_on = session["recovered"] and segment["after"] is not None
        segment["from"] = segment["after"] if goes_on else session["last_id"]
        self.log, self.position = session["log"], segment["from"]

    def hand_on(self, message):
        self.handed_on = max(self.handed_on, message["id"])

    def new_message(self, message):
        segment = self.segments[-1]
        if segment["from"] is None:
            self.faults.append(f"saw {message['id']} before it was let in")
            return
        segment["seen"].append(message["id"])
        self.position = max(self.position, message["id"])
        if messages.setdefault(message["id"], message) != message:
            self.faults.append(f"saw {message['id']} otherwise")

    def user_joined(self, change):
        self.online = self.online | {change["user"]["session"]}
        self.changes += 1

    def user_left(self, change):
        self.online = self.online - {change["session"]}
        self.changes += 1

    def talk(self, pace):
        """Says one thing after the other, each until it is acknowledged."""
        n = 0
        hushed.wait(random.random() * 2 * pace)
        while not hushed.is_set():
            post = {"client_id": f"post-{n}", "content": f"{self.name} says {n}", "sent": 0, "acknowledged": []}
            self.posts.append(post)
            self.say(post)
            n += 1
            hushed.wait(random.random() * 2 * pace)
        self.is_silent = True

    def say(self, post):
        data = {key: post[key] for key in ("client_id", "content")}
        while not post["acknowledged"]:
            try:
                post["sent"] += 1
                answer = self.client.call("send_message", data, timeout=ANSWER_WITHIN_S)
            except socketio.exceptions.SocketIOError:
                answer = None
            if answer and "id" in answer:
                post["acknowledged"].append(answer["id"])
                return
            if answer and answer["code"] not in PASSING:
                self.faults.append(f"{post['content']}: {answer}")
            time.sleep(AGAIN_AFTER_S)

    def note(self, what):
        self.notes.append(f"{time.monotonic() - began:.1f} {what}")

    def record(self):
        # Connections that ended before they were let in have nothing to tell.
        segments = [segment for segment in self.segments if segment["from"] is not None]
        return {"name": self.name, "session": self.user["session"], "posts": self.posts, "segments": segments}


talkers = []


def gather(names, pace):
    talkers.extend(Talker(name) for name in names)
    for talker in talkers:
        talker.log_in()
        talker.connect()
    for talker in talkers:
        threading.Thread(target=talker.talk, args=[pace / 1000], daemon=True).start()
        threading.Thread(target=talker.watch, daemon=True).start()
    return {}


def look(online):
    online = set(online)
    return {
        "talkers": [
            {
                "name": talker.name,
                "here": talker.is_here(),
                "transport": talker.client.transport() if talker.client.connected else None,
                "position": talker.handed_on,
                "silent": talker.is_silent,
                "agrees": talker.online == online,
                "changes": talker.changes,
                "faults": talker.faults,
                "notes": talker.notes + talker.state(),
            }
            for talker in talkers
        ]
    }


def hush():
    hushed.set()
    return {}


def records():
    return {"messages": list(messages.values()), "records": [talker.record() for talker in talkers]}


COMMANDS = {command.__name__: command for command in (gather, look, hush, records)}


obey(COMMANDS)
