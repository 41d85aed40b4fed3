"""Worker processes: how they are started, what is sent to them and back, and how their end is noticed."""
