//! What the house does by itself, at its deadlines.

pub mod closer;
