#!/usr/bin/env python3
"""Asks tools/serve texts from many clients at once, at a given rate, and says how long the answers took.

    python tests/peers/serve_load.py http://127.0.0.1:8080/ --clients 100 --rate 200 --seconds 30

Each client keeps one connection and asks when its turn comes; a late turn counts as waiting, so a server that falls
behind is not flattered. --new asks for no text twice.
"""
import argparse
import asyncio
import json
import time
import urllib.parse
import urllib.request

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("url")
parser.add_argument("--clients", type=int, default=100)
parser.add_argument("--rate", type=float, default=200, help="texts a second, all clients together")
parser.add_argument("--seconds", type=float, default=30)
parser.add_argument("--new", action="store_true")
parser.add_argument("--ask", type=json.loads, default={}, help="more words of each request, as JSON")
options = parser.parse_args()

subjects = "dog cat horse car boat house tree child woman man street beach mountain river apple shoe hat bag".split()
places = "snow rain sand grass water fog sunlight darkness colour pieces spring autumn motion silence blue red".split()


def text_of(number):
    words = f"a {subjects[number % len(subjects)]} in {places[number // len(subjects) % len(places)]}"
    return f"{words} number {number}" if options.new else words


def memory():
    with urllib.request.urlopen(options.url + "metrics") as reply:
        for line in reply.read().decode().splitlines():
            if line.startswith("process_resident_memory_bytes "):
                return int(line.split()[1]) / 2**20


async def ask(reader, writer, number):
    body = json.dumps({"text": text_of(number), "num_images": 10, **options.ask}).encode()
    writer.write(b"POST /knn-service HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
    head = await reader.readuntil(b"\r\n\r\n")
    length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
    await reader.readexactly(length)
    return int(head.split()[1])


async def client(index, begin, waits, statuses):
    place = urllib.parse.urlsplit(options.url)
    reader, writer = await asyncio.open_connection(place.hostname, place.port)
    for number in range(index, int(options.rate * options.seconds), options.clients):
        turn = begin + number / options.rate
        await asyncio.sleep(max(0, turn - time.monotonic()))
        status = await ask(reader, writer, number)
        waits.append(time.monotonic() - turn)
        statuses[status] = statuses.get(status, 0) + 1
    writer.close()


async def main():
    waits, statuses, before = [], {}, memory()
    begin = time.monotonic() + 0.5
    await asyncio.gather(*(client(i, begin, waits, statuses) for i in range(options.clients)))
    took = time.monotonic() - begin
    waits.sort()
    share = lambda p: waits[min(len(waits) - 1, int(p * len(waits)))] * 1000
    print(f"{len(waits)} texts by {options.clients} clients in {took:.1f} s: {len(waits) / took:.0f} a second, "
          f"median {share(0.5):.0f} ms, p99 {share(0.99):.0f} ms, longest {waits[-1] * 1000:.0f} ms; "
          f"statuses {statuses}; memory {before:.1f} -> {memory():.1f} MiB")


asyncio.run(main())
