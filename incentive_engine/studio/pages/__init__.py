"""What the addresses of the studio show and change, a file for each page."""
