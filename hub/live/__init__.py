"""The live ends of ``channels``: sockets that show what is committed, as it is committed."""
