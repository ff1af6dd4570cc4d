"""Draws pictures of images and kernels."""
