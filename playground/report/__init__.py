"""A comparison as a file that leaves: one page that needs no network, or JSON."""
