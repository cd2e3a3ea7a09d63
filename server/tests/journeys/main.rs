//! The server over real sockets and real TLS: what a peer sees from outside.

#[cfg(test)]
mod backup;
#[cfg(test)]
mod certificates;
#[cfg(test)]
mod clock;
#[cfg(test)]
mod command;
#[cfg(test)]
mod contention;
#[cfg(test)]
mod demo;
#[cfg(test)]
mod device;
#[cfg(test)]
mod drain;
#[cfg(test)]
mod fleet;
#[cfg(test)]
mod floods;
#[cfg(test)]
mod frames;
#[cfg(test)]
mod full;
#[cfg(test)]
mod handshakes;
#[cfg(test)]
mod keys;
#[cfg(test)]
mod limits;
#[cfg(test)]
mod local;
#[cfg(test)]
mod neighbours;
#[cfg(test)]
mod nodes;
#[cfg(test)]
mod postgres;
#[cfg(test)]
mod registry;
#[cfg(test)]
mod smuggling;
#[cfg(test)]
mod stage;
#[cfg(test)]
mod telling;
#[cfg(test)]
mod visit;
