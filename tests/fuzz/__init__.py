"""Every operation that the API's description lists, walked with hostile requests and every role."""
