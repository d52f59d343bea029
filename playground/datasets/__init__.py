"""Data sets: pictures with their labels, boxes and segments, read from the layouts they are published in."""
