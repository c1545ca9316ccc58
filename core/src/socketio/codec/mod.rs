//! Wire text and bytes <-> the words of [`super::packet`]; one file a format, all pure.
//!
//! `sio` reads and writes the packets of protocol 5 (and of the 1.x and 2.x clients, whose packets
//! look the same); `scan` is the one pass over incoming JSON; `placeholder`, `binary_ser` and
//! `binary_de` keep bytes beside that JSON.

pub(crate) mod binary_de;
pub(crate) mod binary_ser;
pub(crate) mod placeholder;
pub(crate) mod scan;
pub(crate) mod sio;
