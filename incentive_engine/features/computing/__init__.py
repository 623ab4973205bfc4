"""Features computed out of sorted events: the kernel, programs and columns."""
