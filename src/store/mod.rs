//! Where bytes lie: local files to read, and outputs that appear whole or not at all.
