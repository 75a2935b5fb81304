"""Labels of any format to a manifest."""
