# pragma version 0.4.3
# pragma evm-version london
"""
@title Roots of transparency logs, kept where their operators cannot change them
@license Apache-2.0
@notice A log is named by the SHA-256 of its origin line. Who opens it owns it for ever; only the owner
        anchors, each time a larger tree, and a root that was anchored is never changed or removed.
        Nothing here is paid, destroyed, upgraded or administered.
"""

struct Head:
    owner: address
    size: uint64

event Opened:
    origin: indexed(bytes32)
    owner: indexed(address)

event Anchored:
    origin: indexed(bytes32)
    size: uint64
    root: bytes32

heads: public(HashMap[bytes32, Head])
roots: public(HashMap[bytes32, HashMap[uint64, bytes32]])


@external
def open(origin: bytes32):
    assert self.heads[origin].owner == empty(address), "this log has an owner"
    self.heads[origin].owner = msg.sender
    log Opened(origin=origin, owner=msg.sender)


@external
def anchor(origin: bytes32, size: uint64, root: bytes32):
    assert self.heads[origin].owner == msg.sender, "only the owner of this log anchors it"
    assert size > self.heads[origin].size, "the size must grow"
    assert root != empty(bytes32), "a root is not empty"
    self.heads[origin].size = size
    self.roots[origin][size] = root
    log Anchored(origin=origin, size=size, root=root)
