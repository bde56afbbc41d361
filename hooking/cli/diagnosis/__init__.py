"""What ``hooking doctor`` looks at."""
