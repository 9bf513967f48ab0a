"""The instants of the job protocol at which a crash hurts most; tests kill a process at each."""

from __future__ import annotations

from enum import StrEnum


class Point(StrEnum):
    """A named instant. `HUNTER_CRASH=point:n` kills the process when it passes for the n-th time."""

    #: the upload's job and key are committed, none of its names yet
    ACCEPT_OPENED = "accept.opened"
    #: a slice of the upload is committed
    ACCEPT_STORED = "accept.stored"
    #: everything of the last transaction is written but its COMMIT
    ACCEPT_CLOSING = "accept.closing"
    #: the job is accepted, the caller does not know it yet
    ACCEPT_ACCEPTED = "accept.accepted"
    #: hints are reset after a wipe of Redis, its canary is not planted yet
    DISPATCH_WIPED = "dispatch.wiped"
    #: chunks are halved or given up, not committed
    DISPATCH_CONDEMNED = "dispatch.condemned"
    #: chunks are marked as hinted, not committed
    DISPATCH_PICKED = "dispatch.picked"
    #: the marks are committed, no hint is given yet
    DISPATCH_MARKED = "dispatch.marked"
    #: the hints are given
    DISPATCH_HINTED = "dispatch.hinted"
    #: due leads are jobs, not committed
    DISPATCH_SCHEDULED = "dispatch.scheduled"
    #: a job is completed, not committed
    DISPATCH_FINISHING = "dispatch.finishing"
    #: the lease is taken, not committed
    CLAIM_TAKEN = "claim.taken"
    #: the lease is committed, the work has not begun
    CLAIM_COMMITTED = "claim.committed"
    #: all answers are there, nothing of them is written
    CLAIM_SURVEYED = "claim.surveyed"
    #: the chunk is locked under its epoch
    COMMIT_FENCED = "commit.fenced"
    #: results and leads are written, the chunk is not done
    COMMIT_WRITTEN = "commit.written"
    #: everything is written but the COMMIT
    COMMIT_COUNTED = "commit.counted"
    #: the chunk is done, nobody was told
    COMMIT_COMMITTED = "commit.committed"
    #: messages are leased and what they say is fixed, not committed
    DELIVERY_CLAIMING = "delivery.claiming"
    #: the leases of messages are committed, nothing is sent
    DELIVERY_CLAIMED = "delivery.claimed"
    #: the endpoint has the message, nobody wrote that down
    DELIVERY_SENT = "delivery.sent"
    #: the try is written down, not committed
    DELIVERY_SETTLING = "delivery.settling"
    #: the try is committed
    DELIVERY_SETTLED = "delivery.settled"
    #: a day's changes are put into a digest, not committed
    DELIVERY_GATHERED = "delivery.gathered"
    #: the process was asked to stop
    DRAIN_STARTED = "drain.started"
    #: the leases are handed back, not committed
    DRAIN_RETURNING = "drain.returning"
    #: the leases are handed back, the work on them goes on
    DRAIN_RETURNED = "drain.returned"


def read_crash(text: str) -> tuple[Point, int] | None:
    """The point and number of "commit.written:3", None for ""; raises ValueError saying what is wrong."""
    if not text:
        return None
    name, _, number = text.partition(":")
    if name not in set(Point):
        raise ValueError(f"no such point; it knows {', '.join(Point)}")
    if number and (not number.isascii() or not number.isdigit() or int(number) < 1):
        raise ValueError("wants point:n with n from 1")
    return Point(name), int(number or 1)
