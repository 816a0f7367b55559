"""How fast everything is on this machine: what `mrsi-superres benchmark` measures."""
