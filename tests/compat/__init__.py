"""Programs that were written for the UFDL server, as scripts of our own: clients and a worker.

They know the contract and the wire of the programs they stand for, and nothing of the hub: what
each of them sends, header by header, how it quotes a path, when it signs in again, what it reads
of an answer and what it does when it is refused. `corpus/` holds whole exchanges as data.
"""
