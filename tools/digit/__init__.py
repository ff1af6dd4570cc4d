"""An image file as the network sees it, what the network says of it, and a page on which to draw one."""
