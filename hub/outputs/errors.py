"""What can go wrong with result bytes."""

from hub.errors import HubError, InvalidInput, Kind


class BadDigest(InvalidInput):
    """This is no SHA-256 digest."""

    code = "bad_digest"


class DigestMismatch(InvalidInput):
    """The bytes that arrived are not the bytes the digest names."""

    code = "digest_mismatch"


class RangeNotSatisfiable(HubError):
    """The requested range lies outside the output."""

    kind = Kind.INVALID
    code = "range_not_satisfiable"


class OutputBytesMissing(HubError):
    """The bytes of this output are not in the store."""

    kind = Kind.UNAVAILABLE
    code = "output_bytes_missing"


class OutputBytesDamaged(HubError):
    """The stored bytes of this output are no longer the ones that were uploaded."""

    kind = Kind.UNAVAILABLE
    code = "output_bytes_damaged"
