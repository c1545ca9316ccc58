//! The names of events, and the enum that has a variant for each.

use proc_macro2::TokenStream;
use quote::{format_ident, quote};
use syn::{Attribute, Ident, LitStr, Visibility};

use crate::{
    errors::Errors,
    parse::{Method, Role, plain},
};

/// Names that Socket.IO has for itself.
const RESERVED: [&str; 6] = [
    "connect",
    "connect_error",
    "disconnect",
    "disconnecting",
    "newListener",
    "removeListener",
];

pub(crate) fn is_reserved(name: &str) -> bool {
    RESERVED.contains(&name)
}

pub(crate) fn reserved(name: &str, remedy: &str) -> String {
    format!("the event name {name:?} is reserved by Socket.IO: {remedy}")
}

/// What events a method is for: the one that its attribute names, or those of its own name, which has
/// spaces where Rust has underscores.
pub(crate) fn names(given: Option<LitStr>, method: &Ident, errors: &mut Errors) -> Vec<String> {
    let of_method = plain(method);
    let name = given.as_ref().map_or_else(|| of_method.clone(), LitStr::value);
    if is_reserved(&name) {
        let remedy = match &*name {
            "connect" | "disconnect" => format!("write `#[{name}]` for what happens then"),
            _ => "use another name".to_owned(),
        };
        let message = reserved(&name, &remedy);
        match &given {
            Some(given) => errors.add(given, message),
            None => errors.add(method, message),
        }
    }
    let spaced = name.replace('_', " ");
    if given.is_some() || spaced == name {
        vec![name]
    } else {
        vec![name, spaced]
    }
}

/// The enum for the events of these methods.
pub(crate) struct Events<'a> {
    pub(crate) owner: &'a Ident,
    pub(crate) visibility: &'a Visibility,
    pub(crate) cfgs: &'a [Attribute],
    pub(crate) methods: &'a [Method],
}

struct Variant<'a> {
    ident: Ident,
    name: &'a str,
    cfgs: &'a [Attribute],
}

impl Events<'_> {
    pub(crate) fn expand(&self, errors: &mut Errors) -> TokenStream {
        let Self {
            owner,
            visibility,
            cfgs,
            ..
        } = self;
        let variants = self.variants(errors);
        let enum_ident = format_ident!("{}Event", plain(owner), span = owner.span());
        let enum_doc = format!("The events that `{owner}` has methods for.");
        let docs = variants.iter().map(|variant| format!("The event `{}`.", variant.name));
        let idents: Vec<_> = variants.iter().map(|variant| &variant.ident).collect();
        let names = variants.iter().map(|variant| variant.name);
        let variant_cfgs: Vec<_> = variants
            .iter()
            .map(|variant| {
                let cfgs = variant.cfgs;
                quote!(#(#cfgs)*)
            })
            .collect();
        quote! {
            #(#cfgs)*
            #[doc = #enum_doc]
            #[allow(dead_code, unreachable_pub, clippy::all, clippy::pedantic)]
            #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
            #visibility enum #enum_ident {
                #(#variant_cfgs #[doc = #docs] #idents,)*
            }

            #(#cfgs)*
            #[allow(dead_code, unreachable_pub, clippy::all, clippy::pedantic)]
            impl #enum_ident {
                /// All of them.
                pub const ALL: &[Self] = &[#(#variant_cfgs Self::#idents,)*];
            }

            #(#cfgs)*
            #[allow(clippy::all, clippy::pedantic)]
            impl ::core::convert::AsRef<str> for #enum_ident {
                fn as_ref(&self) -> &str {
                    match *self {
                        #(#variant_cfgs Self::#idents => #names,)*
                    }
                }
            }

            #(#cfgs)*
            impl ::core::fmt::Display for #enum_ident {
                fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
                    f.write_str(::core::convert::AsRef::as_ref(self))
                }
            }
        }
    }

    /// `#[message]` and `#[json]` are one event.
    fn variants(&self, errors: &mut Errors) -> Vec<Variant<'_>> {
        let mut variants: Vec<Variant<'_>> = Vec::new();
        for method in self.methods {
            let Some(name) = method.names.first() else { continue };
            let of = match method.role {
                Role::Message | Role::Json => "message".to_owned(),
                _ => plain(&method.ident),
            };
            let Ok(mut ident) = syn::parse_str::<Ident>(&camel_case(&of)) else {
                errors.add(
                    &method.ident,
                    "no variant of an enum can be called like that: use another name",
                );
                continue;
            };
            ident.set_span(method.ident.span());
            let twin = variants
                .iter()
                .find(|twin| twin.ident == ident && twin.cfgs.is_empty() && method.cfgs.is_empty());
            match twin {
                None => variants.push(Variant {
                    ident,
                    name,
                    cfgs: &method.cfgs,
                }),
                // Their names are those of one event, or that has been said.
                Some(twin) if twin.name == name => {}
                Some(twin) => errors.add(
                    &method.ident,
                    format!(
                        "the events {:?} and {name:?} would both be `{ident}`: use another name",
                        twin.name
                    ),
                ),
            }
        }
        variants
    }
}

fn camel_case(name: &str) -> String {
    let words = name.split('_').map(|word| {
        let mut letters = word.chars();
        let first = letters.next().into_iter().flat_map(char::to_uppercase);
        first.chain(letters).collect::<String>()
    });
    words.collect()
}
