"""One writer for many processes: the client, the wire and the process."""
