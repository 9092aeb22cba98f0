"""The sources of images: folders, tables, a download, phantoms."""
