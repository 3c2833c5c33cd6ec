"""How somebody becomes a member: an address, an application, its answer; and a try before."""
