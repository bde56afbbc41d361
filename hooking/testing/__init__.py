"""Tools for testing hooks without a host."""
