"""Tests of both packages; folders mirror theirs."""
