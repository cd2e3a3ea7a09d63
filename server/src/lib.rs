//! The binary `keyfob`: configuration, accept loops, TLS, limits, drain,
//! telemetry and the command line. Wires the other rooms together; has no
//! business rules of its own.

pub mod backup;
pub mod command;
pub mod config;
pub mod data;
pub mod demo;
pub mod fetch;
pub mod fleet;
pub mod health;
pub mod journal;
pub mod keys;
pub mod listen;
pub mod port;
pub mod serve;
pub mod telemetry;
pub mod tls;
pub mod wiring;
