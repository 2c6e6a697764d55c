//! The network from outside.
