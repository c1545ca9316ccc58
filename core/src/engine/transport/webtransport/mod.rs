//! WebTransport: the framing of the first stream that a client opens ([`codec`]), and what is done with
//! an accepted session ([`ticket`]). HTTP/3 itself is a library's, in a crate of its own.

pub(crate) mod codec;
pub(crate) mod ticket;
