//! The tests of `jose` through its public face.

#[cfg(test)]
#[cfg(feature = "crypto")]
mod corpus;
#[cfg(test)]
#[cfg(feature = "crypto")]
mod standards;
#[cfg(test)]
#[cfg(feature = "crypto")]
mod vectors;
