"""Many people who talk, each with a socket of their own, and keep a record of it. The protocol on stdin and stdout is in ../README.md."""

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

# The client reads each message in a thread of its own. So they come one after the other, as long as none is interrupted that
# does not wait for anything.
sys.setswitchinterval(1)

began = time.monotonic()
# What was said, by id: everybody sees the same, so it is kept once.
messages = {}
# When nobody says anything new any more.
hushed = threading.Event()


class Talker:
    def __init__(self, name):
        self.name = name
        self.posts, self.faults, self.notes = [], [], []
        # By the id of the socket, since a message's thread may be faster than that of the event before it.
        self.segments, self.sid = {}, None
        self.online, self.changes = set(), 0
        self.is_silent = False
        # Behind which message it goes on, and behind which it wanted to when it last connected.
        self.log, self.position, self.after = None, None, None
        self.client = socketio.Client(reconnection_delay_max=2, handle_sigint=False)
        self.client.on("connect", lambda: self.note("connect"))
        self.client.on("disconnect", self.note)
        self.client.on("connect_error", lambda data=None: self.note(f"connect_error {data}"))
        for event in (self.session_begins, self.new_message, self.user_joined, self.user_left):
            self.client.on(event.__name__.removesuffix("_begins"), event)

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
        return self.client.connected and self.segment()["from"] is not None

    def segment(self):
        # What is handled when its socket has just gone came over that one.
        self.sid = self.client.get_sid() or self.sid
        return self.segments.setdefault(self.sid, {"after": None, "from": None, "seen": []})

    def session_begins(self, session):
        self.online = {user["session"] for user in session["users"]}
        segment = self.segment()
        # In the middle of a connection it is the list that begins anew.
        if segment["from"] is not None:
            return
        segment["after"] = self.after
        goes_on = session["recovered"] and self.after is not None
        segment["from"] = self.after if goes_on else session["last_id"]
        self.log, self.position = session["log"], max([segment["from"], *segment["seen"]])

    def new_message(self, message):
        self.segment()["seen"].append(message["id"])
        self.position = max(self.position or 0, message["id"])
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
        segments = list(self.segments.values())
        for segment in segments:
            # Threads may have changed places.
            segment["seen"].sort()
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
                "position": talker.position or 0,
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
