"""Commands about the tree that a session is: its entries, its tips, their names."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from beyond_agent.serve.answers import Branch, Branches, Label, Node, Tree

if TYPE_CHECKING:
    from beyond_agent.serve import commands
    from beyond_agent.serve.connection import Connection


async def list_branches(connection: Connection, _: commands.ListBranches) -> Branches:
    """List the tips of the session's tree."""
    found = connection.live.stored.branches()
    return Branches(branches=[Branch(**msgspec.structs.asdict(each)) for each in found])


async def get_tree(connection: Connection, command: commands.GetTree) -> Tree:
    """Return a page of the session's tree."""
    stored = connection.live.stored
    found, following = stored.tree(command.since)
    nodes = [Node(**msgspec.structs.asdict(each)) for each in found]
    return Tree(nodes=nodes, leaf_id=stored.leaf_id, next=following)


async def set_label(connection: Connection, command: commands.SetLabel) -> Label:
    """Name an entry, or take its name away."""
    connection.live.must_be_ours()
    connection.live.stored.label(command.target_id, command.label)
    return Label(target_id=command.target_id, label=command.label)


async def get_label(connection: Connection, command: commands.GetLabel) -> Label:
    """Return the name of an entry."""
    return Label(target_id=command.target_id, label=connection.live.stored.label_of(command.target_id))
