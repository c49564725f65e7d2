"""A worker for enact in Python, with nothing but the standard library. Copy it and write your own operations.

enact starts this program and talks to it over file descriptor 0, which is a socket: each frame is four bytes of
length (big-endian) and a JSON object. Standard output and standard error are free: what you print becomes the log.
"""
import json
import os
import socket
import struct
import threading
import traceback


def total(basket, call):
    """An operation gets the argument and the call; what it returns is the output."""
    if not isinstance(basket.get("items"), list):
        raise BadArgument("items must be a list")
    return {"cents": sum(item["cents"] * item.get("count", 1) for item in basket["items"])}


def count(argument, call):
    """An operation with `returns: effects` returns what it wants changed; enact does it with the outcome, or not at all."""
    held = call.ask("state_get", scope="session", key="count")
    value = (held["value"] or 0) + 1
    return {
        "output": {"count": value},
        "state": [{"scope": "session", "set": "count", "value": value, "if_version": held["version"]}],
        "events": [{"type": "counter.counted", "key": "count", "data": {"count": value}}],
    }


OPERATIONS = {"total": total, "count": count}


class BadArgument(Exception):
    """Raise it when the argument does not suit you."""


class Call:
    """What an operation may know and ask while it runs."""

    def __init__(self, worker, frame):
        self.worker, self.id = worker, frame["id"]
        self.context, self.files, self.scratch = frame["context"], frame["files"], frame.get("scratch")
        self.cancelled = threading.Event()  # a long operation looks at it now and then

    def ask(self, kind, **fields):
        return self.worker.ask({"type": kind, "call": self.id, **fields})


class Worker:
    def __init__(self):
        self.wire = socket.socket(fileno=0)
        self.writing, self.calls, self.asked = threading.Lock(), {}, {}

    def read(self, size):
        data = bytearray()
        while len(data) < size:
            piece = self.wire.recv(size - len(data))
            if not piece:
                os._exit(0)  # enact is gone, and so are we
            data += piece
        return bytes(data)

    def receive(self):
        return json.loads(self.read(struct.unpack(">I", self.read(4))[0]))

    def send(self, frame):
        body = json.dumps(frame).encode()
        with self.writing:
            self.wire.sendall(struct.pack(">I", len(body)) + body)

    def ask(self, frame):
        request, answered = id(frame), threading.Event()
        self.asked[request] = answered
        self.send({**frame, "request": request})
        answered.wait()
        answer = self.asked.pop(request).answer
        if answer["type"] == "context_error":
            raise RuntimeError(answer["message"])
        return answer

    def run(self, frame):
        call = self.calls[frame["id"]] = Call(self, frame)
        try:
            operation = OPERATIONS.get(frame["operation"])
            if operation is None:
                answer = {"type": "error", "code": "unknown_operation", "message": frame["operation"]}
            else:
                answer = {"type": "ok", "output": operation(frame["argument"], call)}
        except Exception as error:
            code = "bad_argument" if isinstance(error, BadArgument) else "cancelled" if call.cancelled.is_set() else "failed"
            answer = {"type": "error", "code": code, "message": str(error),
                      "exception": type(error).__name__, "stack": traceback.format_exc()}
        del self.calls[frame["id"]]  # exactly one answer for each call
        self.send({**answer, "id": frame["id"]})

    def serve(self):
        self.send({"type": "hello", "protocol": 1, "nonce": os.environ["ENACT_INSTANCE"], "runtime": "python"})
        while True:
            frame = self.receive()
            kind = frame["type"]
            if kind == "init":
                self.send({"type": "ready", "operations": sorted(OPERATIONS)})
            elif kind == "call":
                threading.Thread(target=self.run, args=(frame,), daemon=True).start()
            elif kind == "cancel" and frame["id"] in self.calls:
                self.calls[frame["id"]].cancelled.set()
            elif kind in ("context_ok", "context_error") and frame["request"] in self.asked:
                self.asked[frame["request"]].answer = frame
                self.asked[frame["request"]].set()
            elif kind == "ping":
                self.send({"type": "pong", "nonce": frame["nonce"]})
            elif kind == "drain":
                return  # enact sends it when the last call is answered


Worker().serve()
