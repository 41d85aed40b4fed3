"""What scopes are made of: the calls, what ends them, and the tasks of an event loop."""
