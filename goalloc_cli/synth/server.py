"""server: requests in flight, each a goroutine whose stack grows and whose objects die with it; some leave a session."""

# mypy: allow-untyped-defs

from __future__ import annotations

import numpy as np

from goalloc_cli.compiled.jit import inner, kernel
from goalloc_cli.synth.mix import OBJECTS, Shape, struct
from goalloc_cli.synth.plan import Plan, empty_slots
from goalloc_cli.synth.world import (
    BATCH,
    NONE,
    STACK_ALLOC,
    STACK_FREE,
    STEPS_PER_P,
    alloc_any,
    alloc_shape,
    below,
    free,
    go_on,
    put,
    record,
    table,
)

REQUEST, RESPONSE, SESSION = 0, 1, 2
"""Numbers of the shapes; what a request allocates beside them is drawn from those behind."""
OWN = (struct("net/http.Request", 248, 0), struct("net/http.response", 224, 0), struct("main.Session", 144, 0))
FIRST_STACK, LARGEST_STACK = 2048, 65536
"""Bytes of a goroutine's first stack (Go: stack.go, stackMin), and those that no request needs more than."""
STEPS_PER_GROWTH = 32
"""Steps, on average, after which a stack is too small."""
REQUESTS_PER_SESSION = 8

CONNECTION = table(("p", "<i8"), ("stack_bytes", "<i8"), ("stack", "<i8"), ("held", "<i8"), ("wanted", "<i8"))
"""A request in flight: its P, its goroutine's stack (0 bytes: no request) and handle, its objects so far and at its end."""
SERVER = table(("sessions", "<i8"))
"""Sessions made so far."""


def plan(connections: int, objects: int, sessions: int, mix: tuple[Shape, ...] = OBJECTS) -> Plan:
    own = objects + 2
    rows = np.zeros(connections, CONNECTION).view(np.recarray)
    state = (record(SERVER), rows, empty_slots(connections, own), empty_slots(sessions))
    return Plan(server, (*OWN, *mix), connections * own + sessions, state)


@kernel
def server(world, objects, server, connections, held, sessions):
    """Write a batch of events.

    Args:
        server: SERVER record.
        connections: CONNECTION rows. The stack handles 2 c and 2 c + 1 belong to row c.
        held: (n, most) i8, the objects of each.
        sessions: i8 handles, or NONE.
    """
    while world.n < BATCH:
        go_on(world)
        c = below(world, len(connections))
        connection = connections[c]
        if below(world, STEPS_PER_P) == 0:
            connection.p = below(world, world.procs)  # another P stole the goroutine
        if connection.stack_bytes == 0:
            begin(world, objects, connection, c, held)
        elif connection.held == connection.wanted:
            end(world, objects, server, connection, held[c], sessions)
        elif connection.stack_bytes < LARGEST_STACK and below(world, STEPS_PER_GROWTH) == 0:
            grow_stack(world, connection)
        else:
            held[c, connection.held] = alloc_any(world, objects, connection.p)
            connection.held += 1


@inner
def begin(world, objects, connection, c, held):
    """A request arrives: a goroutine is made for it."""
    connection.p = world.p
    connection.stack = 2 * c
    connection.stack_bytes = FIRST_STACK
    put(world, STACK_ALLOC, world.p, connection.stack, FIRST_STACK, 0)
    held[c, 0] = alloc_shape(world, objects, world.p, REQUEST)
    held[c, 1] = alloc_shape(world, objects, world.p, RESPONSE)
    connection.held = 2
    connection.wanted = 3 + below(world, held.shape[1] - 2)


@inner
def grow_stack(world, connection):
    """The goroutine moves to a stack of twice the size. (Go: stack.go, copystack)"""
    other = connection.stack ^ 1
    put(world, STACK_ALLOC, connection.p, other, 2 * connection.stack_bytes, 0)
    put(world, STACK_FREE, connection.p, connection.stack, 0, 0)
    connection.stack = other
    connection.stack_bytes *= 2


@inner
def end(world, objects, server, connection, held, sessions):
    """The request is answered: its objects are dead, its goroutine ends; some leave a session behind."""
    if below(world, REQUESTS_PER_SESSION) == 0:
        at = server.sessions % len(sessions)
        if sessions[at] != NONE:
            free(world, objects, sessions[at])
        sessions[at] = alloc_shape(world, objects, connection.p, SESSION)
        server.sessions += 1
    for i in range(connection.held):
        free(world, objects, held[i])
    put(world, STACK_FREE, connection.p, connection.stack, 0, 0)
    connection.stack_bytes = 0
