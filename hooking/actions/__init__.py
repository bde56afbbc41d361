"""Changes of the host for a guest's sake, one verb each. Each remembers its undo first: see `hooking.state`."""
