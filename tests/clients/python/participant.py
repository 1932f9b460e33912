"""One person who uses the lobby from Python. The protocol on stdin and stdout is in ../README.md."""

import os
import sys
from datetime import datetime, timezone

import requests
import socketio

from orders import obey, show

ANSWER_WITHIN_S = 10
EVENTS = ["new_message", "user_joined", "user_left", "session", "typing", "error"]

url = sys.argv[1]
transports = os.environ.get("LOBBY_TRANSPORTS", "websocket").split(",")
cookies = os.environ.get("LOBBY_COOKIES", "http")

http = requests if cookies == "none" else requests.Session()
tabs = {}


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


obey(COMMANDS)
