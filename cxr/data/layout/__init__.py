"""The images below a folder, and what its folders mean."""
