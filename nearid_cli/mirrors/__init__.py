"""Buckets, archives and data sets as folders of names: `here` makes one of whatever was given in a folder's place."""

from nearid_cli.mirrors.find import here as here
