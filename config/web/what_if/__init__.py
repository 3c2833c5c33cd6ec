"""What a past period would have come to: asked on a page, answered side by side."""
