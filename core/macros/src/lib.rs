//! The attribute macros of `tower-socketio`, which re-exports them.
//!
//! `parse` reads methods and finds mistakes, `events` names what they handle, `register` writes the calls
//! of `Namespace::on` and its like, and `expand` puts them together. What runs is in the core:
//! `socketio/controller.rs`.

mod arguments;
mod errors;
mod events;
mod expand;
mod krate;
mod parse;
mod register;

use proc_macro::TokenStream;
use syn::{Item, parse_macro_input};

#[doc = include_str!("../docs/namespace.md")]
#[proc_macro_attribute]
pub fn namespace(arguments: TokenStream, item: TokenStream) -> TokenStream {
    expand::namespace(syn::parse(arguments), parse_macro_input!(item as Item)).into()
}

#[doc = include_str!("../docs/namespace_methods.md")]
#[proc_macro_attribute]
pub fn namespace_methods(arguments: TokenStream, item: TokenStream) -> TokenStream {
    expand::namespace_methods(syn::parse(arguments), parse_macro_input!(item as Item)).into()
}
