"""Parts of the hub on their own, each beside the file that it tests."""
