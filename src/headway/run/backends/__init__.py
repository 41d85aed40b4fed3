"""The backends, one file each behind one contract."""
