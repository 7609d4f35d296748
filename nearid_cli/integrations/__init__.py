"""Other programs' own ways to measure, each in a module that needs the package it is named after."""
