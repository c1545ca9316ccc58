//! Which sockets are in which room: the part of a namespace that a cluster has to share.

pub(crate) mod local;
