"""Tests of cxr.results."""
