"""The people of an organisation: who they are to each other, what each may do and commit."""
