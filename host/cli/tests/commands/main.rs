//! The binary as it is used: from outside.

mod demo;
mod fixture;
mod serve;
mod stream;
