//! Components that mean harm, each with a victim beside it.
