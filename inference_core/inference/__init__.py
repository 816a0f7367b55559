"""Images in, images out: super-resolution and its uncertainty."""
