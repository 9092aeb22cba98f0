"""Tables of users: read, and their columns recognised."""
