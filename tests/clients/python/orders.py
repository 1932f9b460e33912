"""How a program is told what to do, and tells what it sees: one JSON object a line. The protocol is in README.md, a folder above."""

import json
import os
import sys
import threading

limit = float(os.environ.get("LOBBY_TIME_LIMIT", "60"))

# The lobby under test is on this machine; a proxy of the surroundings does not know it.
os.environ["no_proxy"] = "*"

# Clients call their handlers in threads; a line must not be torn by another.
stdout_lock = threading.Lock()


def show(**line):
    with stdout_lock:
        sys.stdout.write(json.dumps(line) + "\n")
        sys.stdout.flush()


def fail(sentence):
    print(sentence, file=sys.stderr, flush=True)
    os._exit(1)


def obey(commands):
    """Does what it is told, each by the function of that name, until it is told to quit or nobody is left to tell it."""
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
        command = commands[name]
        try:
            show(answer=name, **command(**args))
        except Exception as error:
            show(answer=name, error=str(error) or type(error).__name__)
    # The client's threads still run; waiting for them, or tearing them down in mid-write, is nobody's test.
    os._exit(0)
