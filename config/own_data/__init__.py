"""A participant's own data as one archive to take away."""
