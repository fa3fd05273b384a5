//! The steps that run.

mod join;
mod rows;
mod set;
mod sort;
#[cfg(test)]
mod testing;
