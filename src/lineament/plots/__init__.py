"""Every figure, matplotlib, one function a figure."""
