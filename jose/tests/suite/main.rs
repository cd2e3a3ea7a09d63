//! The tests of `jose` through its public face.

#[cfg(test)]
mod vectors;
