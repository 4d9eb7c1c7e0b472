"""What a client that acks may see of a log, whatever breaks in between.

Delivery holds the entries in order and follows one client: every batch must go on where the last one ended, and after a
break at a place where the client's acks can have got to. An ack counts as arrived when the server answered anything after
it: from then on its entries must never come again.
"""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
import canal_wire as wire  # noqa: E402

# Milliseconds between attempts to reach the source.
QUICK_RETRIES = {"canal.instance.retry.min": 1, "canal.instance.retry.max": 2}


class Broken(Exception):
    """A promise was not kept."""


class Delivery:
    def __init__(self, entries):
        self.entries = entries
        self.confirmed = 0      # entries before it are acked, and the server showed that it knows
        self.unconfirmed = []   # ends of batches whose ack was sent and not yet answered by anything
        self.position = 0       # entry that comes next on this connection
        self.resuming = True
        self.repeated = 0

    def new_connection(self):
        self.resuming = True

    def answered(self):
        """The server answered something that was asked after the acks."""
        if self.unconfirmed:
            self.confirmed = self.unconfirmed[-1]
            self.unconfirmed.clear()

    def batch(self, entries):
        if self.resuming:
            starts = [self.confirmed] + self.unconfirmed
            start = next((at for at in starts if self.entries[at:at + len(entries)] == entries), None)
            if start is None:
                raise Broken("after a break, %d entries that are not those from %s on: %s" % (
                    len(entries), " or ".join(map(str, starts)), self.place_of(entries[0])))
            self.repeated += max(0, self.position - start)
            self.confirmed = self.position = start
            self.unconfirmed.clear()
            self.resuming = False
        elif self.entries[self.position:self.position + len(entries)] != entries:
            raise Broken("entry %d was to come next: %s" % (self.position, self.place_of(entries[0])))
        self.position += len(entries)

    def place_of(self, entry):
        places = [number for number, known in enumerate(self.entries) if known == entry]
        return "what came is entry %s of the log" % places if places else "what came is not in the log: %r" % entry[:200]

    def acked(self):
        self.unconfirmed.append(self.position)

    def complete(self):
        return self.confirmed == len(self.entries)


def read_log(port, client_id=1001):
    """All entries that a server has, in order, acked. Ends when nothing more has come for a second."""
    client = wire.Client(port, client_id=client_id)
    client.subscribe()
    entries, empty = [], 0
    while empty < 4 or not entries:
        batch, more = client.get(100_000, 250)
        entries += more
        empty = 0 if more else empty + 1
        if more:
            client.ack(batch)
    client.close()
    return entries


def drain(port, delivery, fetch):
    """The rest, without breaks, until everything is acked; then nothing more may come."""
    client = wire.Client(port)
    delivery.new_connection()
    client.subscribe()
    client.rollback()
    idle = 0
    while not delivery.complete():
        batch, entries = client.get(fetch, 500)
        if not delivery.resuming:
            delivery.answered()
        if entries:
            delivery.batch(entries)
            client.ack(batch)
            delivery.acked()
        elif delivery.resuming and delivery.unconfirmed and delivery.unconfirmed[-1] == len(delivery.entries):
            delivery.confirmed = len(delivery.entries)
        else:
            idle += 1
            if idle > 60:
                raise Broken("entries from %d on do not come (of %d)" % (delivery.position, len(delivery.entries)))
    _, extra = client.get(fetch, 300)
    if extra:
        raise Broken("%d entries after the last one: %s" % (len(extra), delivery.place_of(extra[0])))
    client.close()
