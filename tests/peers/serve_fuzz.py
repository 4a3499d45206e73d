#!/usr/bin/env python3
"""Sends nonsense to tools/serve for a while: broken heads, bodies, JSON, pictures, connections that end anywhere.

    python tests/peers/serve_fuzz.py http://127.0.0.1:8080/ tests/sample/images/0001.jpg --seconds 600

It fails when the server ends, when a right question is not answered as it was in the beginning, or when an answer is
nothing that HTTP knows. Build it with -DOCLIP_SANITIZE=ON for this.
"""
import argparse
import base64
import json
import pathlib
import random
import socket
import time
import urllib.parse
import urllib.request

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("url")
parser.add_argument("picture", type=pathlib.Path)
parser.add_argument("--seconds", type=float, default=600)
parser.add_argument("--seed", type=int, default=1)
options = parser.parse_args()
rng = random.Random(options.seed)
place = urllib.parse.urlsplit(options.url)
picture = options.picture.read_bytes()

words = ["text", "image", "embedding_input", "like", "num_images", "num_result_ids", "min_score", "filter", "modality",
         "deduplicate", "path", "after", "before", "orientation", "min_width"]
values = ["apples", "a + b - c", "2:", "- - -", "auto", "none", "\ud800", "\x00", "x" * 5000, "*" * 200, "[!", 0, -1, 1,
          2**63 - 1, 1e308, 0.5, True, None, [], [0] * 512, {}, {"path": "*"}, {"after": "2024"}, "image", "data:,", "===="]
paths = ["/", "/knn-service", "/embed", "/health", "/metrics", "/thumb/1", "/picture/1", "/thumb/", "/picture/-1",
         "/picture/../../etc/passwd", "/%00", "/" + "a" * 9000, "*", "http://x/", "/picture/1?x=%ff", "/?token=" + "t" * 900]
methods = ["GET", "POST", "HEAD", "PUT", "OPTIONS", "DELETE", "TRACE", "CONNECT", "get", "", "G\x01T", "PRI"]
heads = ["Content-Length: -1", "Content-Length: 99999999999999999999", "Content-Length: 5\r\nContent-Length: 9",
         "Transfer-Encoding: chunked", "Transfer-Encoding: x", "Expect: 100-continue", "Connection: upgrade", "X: " + "y" * 9000,
         "Cookie: oclip=;;=\"", "Cookie: " + "a=b;" * 500, ": x", "If-None-Match: *", "Range: bytes=-1", "\x00: \xff", " folded",
         "Authorization: Bearer", "Origin: null", "Host: localhost"]


def some_json():
    if rng.random() < 0.2:
        return b"[" * rng.randrange(5000)
    body = {rng.choice(words): rng.choice(values) for _ in range(rng.randrange(6))}
    if rng.random() < 0.3:
        bytes_ = bytearray(picture)
        for _ in range(rng.randrange(8)):
            bytes_[rng.randrange(len(bytes_))] = rng.randrange(256)
        body["image"] = base64.b64encode(bytes_[:rng.randrange(len(bytes_) + 1)]).decode()
    return json.dumps(body).encode()


def mangle(message):
    message = bytearray(message)
    for _ in range(rng.choice([0, 0, 0, 1, 2, 20])):
        at = rng.randrange(len(message) + 1)
        message[at:at + rng.randrange(3)] = rng.randbytes(rng.randrange(3))
    return bytes(message[:rng.randrange(len(message) + 1)] if rng.random() < 0.2 else message)


def some_request():
    method, path = (("POST", rng.choice(["/knn-service", "/embed"])) if rng.random() < 0.6
                    else (rng.choice(methods), rng.choice(paths)))
    body = some_json()
    lines = [f"{method} {path} HTTP/1.1", "Host: localhost"]
    lines += [rng.choice(heads) for _ in range(rng.choice([0, 0, 0, 1, 3]))]
    if rng.random() < 0.9:
        lines.append(f"Content-Length: {len(body)}")
    return mangle("\r\n".join(lines).encode("latin-1", "replace") + b"\r\n\r\n" + body)


def send(message):
    """Sometimes leaves without the answer."""
    with socket.create_connection((place.hostname, place.port), timeout=5) as connection:
        try:
            connection.settimeout(0.3)
            connection.sendall(message)
            if rng.random() < 0.3:
                return
            if rng.random() < 0.8:
                connection.shutdown(socket.SHUT_WR)
            answer = connection.recv(65536)
            assert not answer or answer.startswith((b"HTTP/1.1 ", b"HTTP/1.0 ")), (message, answer[:100])
        except (socket.timeout, ConnectionError, BrokenPipeError, OSError):
            pass


def right_answer():
    request = urllib.request.Request(options.url + "knn-service", b'{"text": "apples", "num_images": 20}')
    with urllib.request.urlopen(request, timeout=60) as reply:
        return [hit["id"] for hit in json.load(reply)]


wanted, end, sent = right_answer(), time.monotonic() + options.seconds, 0
while time.monotonic() < end:
    for _ in range(200):
        send(b"".join(some_request() for _ in range(rng.choice([1, 1, 1, 2, 5]))))
        sent += 1
    assert right_answer() == wanted, "a right question has another answer now"
print(f"{sent} connections of nonsense in {options.seconds:.0f} s; the server answers as before")
