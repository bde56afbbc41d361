"""The `hooking` command."""
