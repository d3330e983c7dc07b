//! Loops over numbers: no files, no threads, no names.
