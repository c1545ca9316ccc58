#![doc = include_str!("../docs/guide/links.txt")]
#![doc = include_str!("../docs/guide/README.md")]
// The pages of `docs/guide` as modules, for rustdoc, which compiles what is in them. On GitHub their links lead to
// files and to docs.rs, as each page says at its end; here to modules and items, as `links.txt` says: of two
// definitions of a link the first counts. (Lines of doctests are counted from the first of `links.txt`.)

#[doc = include_str!("../docs/guide/links.txt")]
#[doc = include_str!("../docs/guide/getting-started.md")]
pub mod getting_started {}

#[doc = include_str!("../docs/guide/links.txt")]
#[doc = include_str!("../docs/guide/concepts.md")]
pub mod concepts {}

#[doc = include_str!("../docs/guide/links.txt")]
#[doc = include_str!("../docs/guide/namespaces.md")]
pub mod namespaces {}

#[doc = include_str!("../docs/guide/links.txt")]
#[doc = include_str!("../docs/guide/acl.md")]
pub mod acl {}

#[doc = include_str!("../docs/guide/links.txt")]
#[doc = include_str!("../docs/guide/typescript.md")]
pub mod typescript {}

#[doc = include_str!("../docs/guide/links.txt")]
#[doc = include_str!("../docs/guide/testing.md")]
pub mod testing {}

#[doc = include_str!("../docs/guide/links.txt")]
#[doc = include_str!("../docs/guide/behind-a-proxy.md")]
pub mod behind_a_proxy {}

#[doc = include_str!("../docs/guide/links.txt")]
#[doc = include_str!("../docs/guide/from-gevent-socketio.md")]
pub mod from_gevent_socketio {}

#[doc = include_str!("../docs/guide/links.txt")]
#[doc = include_str!("../docs/guide/from-pyramid-and-django.md")]
pub mod from_pyramid_and_django {}

#[doc = include_str!("../docs/guide/links.txt")]
#[doc = include_str!("../docs/guide/from-node.md")]
pub mod from_node {}

#[doc = include_str!("../docs/guide/links.txt")]
#[doc = include_str!("../docs/guide/from-python-socketio.md")]
pub mod from_python_socketio {}

#[doc = include_str!("../docs/guide/links.txt")]
#[doc = include_str!("../docs/guide/from-socketioxide.md")]
pub mod from_socketioxide {}
