//! Where the generated code finds `tower-socketio`: an application may depend on it by a web adapter alone.

use proc_macro_crate::{FoundCrate, crate_name};
use proc_macro2::{Ident, Span};
use syn::{Path, parse_quote};

/// The packages that have its names at their root; the first that the application depends on is taken.
const PACKAGES: [&str; 4] = ["tower-socketio", "axum-socketio", "actix-socketio", "warp-socketio"];

/// The path of its root.
pub(crate) fn path() -> syn::Result<Path> {
    PACKAGES.into_iter().find_map(find).ok_or_else(|| {
        syn::Error::new(
            Span::call_site(),
            format!(
                "none of {} is among the dependencies: add one, or say where its names are, as in \
                 `#[namespace(crate = my_crate::socketio)]`",
                PACKAGES.join(", ")
            ),
        )
    })
}

fn find(package: &str) -> Option<Path> {
    let name = match crate_name(package).ok()? {
        // Its own tests and examples, which see it as others do.
        FoundCrate::Itself => package.replace('-', "_"),
        FoundCrate::Name(name) => name,
    };
    let name = Ident::new(&name, Span::call_site());
    Some(parse_quote!(::#name))
}
