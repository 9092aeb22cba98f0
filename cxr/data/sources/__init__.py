"""Where images come from: folders, tables, a download, phantoms."""
