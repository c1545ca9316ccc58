//! The statements that register methods as handlers: calls of `Namespace::on` and its like with async
//! closures.
//!
//! A wrong type of a method is to be an error at that type, so each is checked there before the closure,
//! whose error would be one of the whole method.

use proc_macro2::{Ident, TokenStream, TokenTree};
use quote::{ToTokens as _, format_ident, quote, quote_spanned};
use syn::{Path, ReturnType};

use crate::parse::{Method, Role};

/// Writes the registrations of methods that are called as `<callee>::method`.
pub(crate) struct Registrations<'a> {
    pub(crate) krate: &'a Path,
    /// `Self`, or `<Self as Trait>`.
    pub(crate) callee: TokenStream,
    pub(crate) methods: &'a [Method],
}

/// A closure that calls a method.
struct Handler {
    checks: TokenStream,
    /// The types of its parameters, as a tuple.
    types: TokenStream,
    closure: TokenStream,
}

impl Registrations<'_> {
    pub(crate) fn expand(&self) -> TokenStream {
        let with = |role| self.methods.iter().find(|method| method.role == role);
        let (message, json) = (with(Role::Message), with(Role::Json));
        let statements = self.methods.iter().map(|method| {
            let cfgs = &method.cfgs;
            let statements = match (method.role, message, json) {
                (Role::Message, Some(message), Some(json)) => self.text_or_json(message, json),
                (Role::Json, Some(_), Some(_)) => return TokenStream::new(),
                _ => self.statements(method),
            };
            quote!(#(#cfgs)* { #statements })
        });
        statements.collect()
    }

    fn statements(&self, method: &Method) -> TokenStream {
        let (callee, ident) = (&self.callee, &method.ident);
        match method.role {
            Role::Acl => quote!(namespace.acl(#callee::#ident);),
            Role::Error => quote!(namespace.on_error(#callee::#ident);),
            Role::Connect => on(method, "on_connect", None, &self.connect(method)),
            Role::Disconnect => on(method, "on_disconnect", None, &self.handler(method)),
            Role::Any => on(method, "on_other", None, &self.handler(method)),
            Role::Event | Role::Message | Role::Json => {
                let names = &method.names;
                let on = on(method, "on", Some(&quote!(name)), &self.handler(method));
                quote!(for name in [#(#names),*] { #on })
            }
        }
    }

    /// `message`, where one method takes text and another the rest.
    fn text_or_json(&self, message: &Method, json: &Method) -> TokenStream {
        let krate = self.krate;
        let [text, json] = [message, json].map(|method| self.handler(method));
        let (text_checks, json_checks) = (text.checks, json.checks);
        let (text_types, json_types) = (text.types, json.types);
        let (text, json) = (text.closure, json.closure);
        let both = Handler {
            checks: quote!(#text_checks #json_checks),
            types: quote!((#text_types, #json_types, ())),
            closure: quote!(#krate::__private::text_or_json(#text, #json)),
        };
        on(message, "on", Some(&quote!("message")), &both)
    }

    /// Calls a method on the socket's value.
    fn handler(&self, method: &Method) -> Handler {
        let (krate, callee, ident) = (self.krate, &self.callee, &method.ident);
        let is_event = method.role != Role::Disconnect;
        let check = if is_event {
            quote!(in_event)
        } else {
            quote!(in_disconnect)
        };
        let (names, types) = (names(method), &method.parameters);
        let output = at_output(method, quote!(#callee::#ident(&this, #(#names),*).await));
        let answer = at_output(method, quote!(#krate::__private::answer(#output)));
        Handler {
            checks: self.checks(method, &check),
            types: quote!((#krate::This<Self>, #(#types,)*)),
            closure: quote!(async |this: #krate::This<Self>, #(#names: #types),*| #answer),
        }
    }

    /// Makes the socket's value.
    fn connect(&self, method: &Method) -> Handler {
        let (krate, callee, ident) = (self.krate, &self.callee, &method.ident);
        let (names, types) = (names(method), &method.parameters);
        let made = at_output(method, quote!(#callee::#ident(#(#names),*).await));
        Handler {
            checks: self.checks(method, &quote!(in_connect)),
            types: quote!((#krate::Socket, #(#types,)*)),
            closure: quote! {
                async |socket: #krate::Socket, #(#names: #types),*| #krate::__private::keep::<Self>(&socket, #made)
            },
        }
    }

    fn checks(&self, method: &Method, check: &TokenStream) -> TokenStream {
        let (krate, types) = (self.krate, &method.parameters);
        quote!(#(#krate::__private::#check::<#types>();)*)
    }
}

/// Registers the handler; what is wrong with it as a whole is an error at the method's name.
fn on(method: &Method, register: &str, name: Option<&TokenStream>, handler: &Handler) -> TokenStream {
    let Handler { checks, types, closure } = handler;
    let span = method.ident.span();
    let (register, whole) = (Ident::new(register, span), quote_spanned!(span=> _));
    let name = name.map(|name| quote!(#name,));
    quote! {
        #checks
        namespace.#register::<#types, #whole>(#name #closure);
    }
}

fn names(method: &Method) -> Vec<Ident> {
    let numbers = 0..method.parameters.len();
    numbers.map(|number| format_ident!("argument_{number}")).collect()
}

/// An expression that is where the method's return type is, for the compiler.
fn at_output(method: &Method, expression: TokenStream) -> TokenStream {
    let ReturnType::Type(_, output) = &method.output else {
        return expression;
    };
    let mut spans = output.to_token_stream().into_iter().map(|token| token.span());
    let Some(first) = spans.next() else {
        return expression;
    };
    let last = spans.last().unwrap_or(first);
    let mut tokens: Vec<TokenTree> = expression.into_iter().collect();
    for token in &mut tokens {
        token.set_span(first);
    }
    if let Some(end) = tokens.last_mut() {
        end.set_span(last);
    }
    tokens.into_iter().collect()
}
