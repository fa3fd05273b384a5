//! The binary as it is used: from outside.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod app;
mod broken_output;
mod compile_worker;
mod dead_letters;
mod delivery;
mod demo;
mod fixture;
mod plugin;
mod plugin_answers;
mod plugin_check;
mod plugin_costs;
mod plugin_dev;
mod plugin_new;
mod plugin_server;
mod serve;
mod sql_app;
mod stream;
mod table;
mod tail;
