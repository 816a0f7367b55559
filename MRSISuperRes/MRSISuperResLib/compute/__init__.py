"""Computing: the thread, the live update, measurements, the console."""
