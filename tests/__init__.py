"""Tests of both packages; the folders mirror the packages."""
