//! The blocking client over real TLS sockets.

#[cfg(test)]
mod client;
#[cfg(test)]
mod server;
