"""The edge to files, models and the network: pictures, pinned assets, cards, inference sessions."""
