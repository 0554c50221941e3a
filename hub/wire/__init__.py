"""Requests and answers of ``/v1`` as msgspec structs; the server and a client share them."""
