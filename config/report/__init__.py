"""The city report: the same figures and pictures as the pages, as something to keep and cite."""
