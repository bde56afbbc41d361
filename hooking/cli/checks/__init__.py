"""What ``hooking check`` knows of hooks that go wrong."""
