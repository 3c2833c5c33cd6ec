"""A household's own pages: home, day, month and year, sharing, rule with a preview, privacy."""
