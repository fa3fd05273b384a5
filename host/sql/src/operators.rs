//! The steps that run.

mod rows;
mod set;
mod sort;
#[cfg(test)]
mod testing;
