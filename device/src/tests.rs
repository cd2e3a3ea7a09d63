//! The machines in virtual time against a scripted server.

mod call_home;
mod never;
mod pairing;
mod power;
mod renewal;
mod tokens;
mod world;
