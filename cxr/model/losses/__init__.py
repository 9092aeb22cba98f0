"""Loss functions, a file each; `loss.formula` names the file."""
