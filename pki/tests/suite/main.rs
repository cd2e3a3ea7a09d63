//! The tests of `pki` through its public face.

#[cfg(test)]
mod corpus;
