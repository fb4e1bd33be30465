"""The commands of `beyond-ai`, one file each. They parse and call; what they do stands elsewhere."""
