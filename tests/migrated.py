"""Other servers for tests of `tagwerk migrate`, and what is here after it."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from davclient import DAV, ICAL, Dav, not_collections
from davsamples import card, event
from enginedav import EngineDav, World
from tagwerk import settings as configuration
from tagwerk.accounts.login import Authenticator
from tagwerk.store import open_engine
from tagwerk.store.collections import binding_to, bindings_of, collections_of, find_binding
from tagwerk.store.objects import objects
from tagwerk.store.principals import principal_by_name, principals
from tagwerk.store.properties import collection_properties
from tagwerk.store.shares import shares_of

MKCALENDAR = (
    '<C:mkcalendar xmlns:D="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav" xmlns:I="http://apple.com/ns/ical/"><D:set>'
    "<D:prop><D:displayname>Work &amp; play</D:displayname><I:calendar-color>#ff8800ff</I:calendar-color>"
    "<I:calendar-order>3</I:calendar-order><C:calendar-description>What anna does</C:calendar-description>"
    '<C:supported-calendar-component-set><C:comp name="VEVENT"/></C:supported-calendar-component-set>'
    "</D:prop></D:set></C:mkcalendar>"
)
MKBOOK = (
    '<D:mkcol xmlns:D="DAV:" xmlns:CR="urn:ietf:params:xml:ns:carddav"><D:set><D:prop><D:resourcetype><D:collection/>'
    "<CR:addressbook/></D:resourcetype><D:displayname>Friends</D:displayname></D:prop></D:set></D:mkcol>"
)


class Here:
    """What is in a database of ours."""

    def __init__(self, data) -> None:
        self._data = data
        self._engine = open_engine(f"sqlite://{data}/tagwerk.sqlite")

    def __enter__(self):
        return self

    def __exit__(self, *_) -> None:
        self._engine.close()

    def collections(self, user):
        with self._engine.read() as txn:
            principal = principal_by_name(txn, user)
            return (
                {}
                if principal is None
                else {each.name: each.collection for each in bindings_of(txn, principal.id)}
            )

    def objects(self, user, name):
        with self._engine.read() as txn:
            binding = find_binding(txn, user, name)
            return {each.name: each.content for each in objects(txn, binding.collection.id, content=True)}

    def properties(self, user, name):
        with self._engine.read() as txn:
            binding = find_binding(txn, user, name)
            return collection_properties(txn, binding.collection.id, binding.id)

    def shares(self):
        """What is shared: owner/collection, with whom, how much."""
        with self._engine.read() as txn:
            return {
                (f"{owner.name}/{binding.name}", share.name or "everybody"): share.access.value
                for owner in list(principals(txn))
                for binding in collections_of(txn, owner.id)
                for share in shares_of(txn, binding.collection.id)
            }

    def place(self, user, owner, name):
        """The path of somebody's collection in the home of somebody else, or None."""
        with self._engine.read() as txn:
            binding = find_binding(txn, owner, name)
            found = binding_to(txn, principal_by_name(txn, user).id, binding.collection.id)
            return f"/{user}/{found.name}/" if found else None

    def client(self, user) -> EngineDav:
        """A client of somebody's, over the DAV engine."""
        return World(self._engine, configuration.load(None, data=self._data, environ={})).client(user)

    def sees(self, user):
        """What somebody's program lists in their home: names and shown names."""
        home = f"/{user}/"
        found = self.client(user).propfind(home, DAV + "displayname", DAV + "resourcetype", depth="1")
        return {
            href.removeprefix(home).strip("/"): each.values[DAV + "displayname"].text
            for href, each in found.found.items()
            if href != home and href not in not_collections(home) and DAV + "displayname" in each.values
        }

    def login(self, user, password):
        return Authenticator(self._engine).login(user, password)


@contextmanager
def stock_radicale(folder, *options: str) -> Iterator[str]:
    """An unmodified Radicale with its own storage, as a process; `options` are more of its words."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    process = subprocess.Popen(
        [
            sys.executable, "-m", "radicale", "--server-hosts", f"127.0.0.1:{port}", "--auth-type", "none",
            "--storage-filesystem-folder", folder, "--logging-level", "error", *options,
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        for _ in range(400):
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            except OSError:
                time.sleep(0.05)
        yield f"http://127.0.0.1:{port}/"
    finally:
        process.terminate()
        process.wait(20)


def fill(url, number=25):
    """A calendar and an address book of anna's; their bytes as the server gives them."""
    client = Dav(url, "anna")
    client("PROPFIND", "/anna/", Depth="0")
    assert client("MKCALENDAR", "/anna/work/", MKCALENDAR).status == 201
    assert client("MKCOL", "/anna/friends/", MKBOOK).status == 201
    for n in range(number):
        assert client.put(f"/anna/work/{n}.ics", event(f"uid-{n}", summary=f"Größe {n}")).status == 201
    for n in range(3):
        assert client.put(f"/anna/friends/card {n}.vcf".replace(" ", "%20"), card(f"card-{n}")).status == 201
    there = {
        "work": {f"{n}.ics": client.get(f"/anna/work/{n}.ics").body for n in range(number)},
        "friends": {f"card {n}.vcf": client.get(f"/anna/friends/card%20{n}.vcf").body for n in range(3)},
    }
    client.close()
    return there


def check(data, there):
    with Here(data) as here:
        assert here.objects("anna", "work") == there["work"]
        assert here.objects("anna", "friends") == there["friends"]
        properties = here.properties("anna", "work")
        assert properties[DAV + "displayname"] == "Work &amp; play"
        assert properties[ICAL + "calendar-color"] == "#ff8800ff"
        assert here.properties("anna", "friends")[DAV + "displayname"] == "Friends"
        assert here.collections("anna")["work"].components == ("VEVENT",)
