"""Tables: each function makes one, from a frame."""
