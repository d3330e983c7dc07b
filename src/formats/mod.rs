//! The container formats, and [`open`](fn@open), which picks one.
