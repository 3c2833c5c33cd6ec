"""Rule sets as people read and change them: versions, differences, drafts, effects."""
