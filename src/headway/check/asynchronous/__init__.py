"""asyncio under control: a loop whose order of ready tasks is chosen, on virtual time."""
