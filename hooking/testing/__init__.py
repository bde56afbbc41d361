"""Tools for trying and testing hooks without a host."""
