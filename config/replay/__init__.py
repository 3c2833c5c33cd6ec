"""A market period on readings, through the same services, inbox and worker as the live hall."""
