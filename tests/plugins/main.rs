//! The life of plugins, from files in a directory to versions in force, and what they are given.
