"""The command: the one-machine stack, the simulator, and the tools of those who run and feed the dashboard."""
