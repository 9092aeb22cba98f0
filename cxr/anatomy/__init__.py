"""Where the lungs are: masks, the atlas, backgrounds, and phantoms with the shortcuts that are planted into them."""
