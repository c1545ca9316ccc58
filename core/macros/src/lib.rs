//! The macros of `tower-socketio`, which re-exports them.
//!
//! `parse` reads methods and finds mistakes, `events` names what they handle, `register` writes the calls
//! of `Namespace::on` and its like, `typescript` tells of their types, and `expand` puts them together. `emit_event` is
//! the derive macro. What runs is in the core: `socketio/controller.rs`, `socketio/emit_event.rs`, `typescript`.

mod arguments;
mod emit_event;
mod errors;
mod event_attribute;
mod events;
mod expand;
mod krate;
mod parse;
mod register;
mod typescript;
mod words;

use proc_macro::TokenStream;
use syn::{DeriveInput, Item, parse_macro_input};

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

#[doc = include_str!("../docs/emit_event.md")]
#[proc_macro_derive(EmitEvent, attributes(event))]
pub fn emit_event(input: TokenStream) -> TokenStream {
    emit_event::derive(&parse_macro_input!(input as DeriveInput)).into()
}
