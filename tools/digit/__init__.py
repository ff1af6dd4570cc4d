"""An image file as the network sees it."""
