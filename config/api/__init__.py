"""What the API's addresses share, and those that span apps."""
