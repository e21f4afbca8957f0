# noqa: A005 - it is tests.site, in the way of nobody
