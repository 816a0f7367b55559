"""What computes: the thread, the live update, measurements, the console."""
