"""The jobs that occupy slots of nodes: very few of all that the nodes have had."""

from orm.queries.batch import marks

SOURCE = {
    # SQLite takes the index of all jobs of a node to be as good: it keeps no statistics.
    "sqlite": "jobs INDEXED BY jobs_slots",
    "postgres": "jobs",
}


def of_nodes(kind: str, columns: str, nodes: int, *, more: str = "") -> str:
    """Return the query for what occupies slots of so many nodes, whose numbers are its values.

    Args:
        kind: The engine's kind.
        columns: What is asked of each job.
        nodes: How many, at least 1.
        more: What follows the condition: further ones, or a grouping.
    """
    held = f"slot_until_us IS NOT NULL AND node IN ({marks(nodes)})"
    return f"SELECT {columns} FROM {SOURCE[kind]} WHERE {held} {more}"
