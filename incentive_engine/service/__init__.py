"""Live decisions over HTTP: parsing, authorisation and answers; the rules are those of `live`."""
