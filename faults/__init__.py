"""What the gateway does when everything around it fails: real processes, real sockets, one row for each fault."""
