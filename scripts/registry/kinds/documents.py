"""Documents: the texts of Markdown and text files, one by one, or in folders and archives."""
