"""Gathering photos of named people: from sites, open-licence APIs, a camera, videos, folders."""
