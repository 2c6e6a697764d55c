//! The state machine against hand-made segments.
