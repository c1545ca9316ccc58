//! What tells `tower_socketio::typescript` of the events that methods handle.

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, quote, quote_spanned};
use syn::{Pat, Path, ReturnType, Type, spanned::Spanned as _};

use crate::{
    errors::Errors,
    parse::{Method, plain},
};

/// The statements that describe the events of these methods to `events`.
pub(crate) fn describe(krate: &Path, methods: &[Method], errors: &mut Errors) -> TokenStream {
    let methods = methods.iter().filter(|method| method.role.is_event());
    let statements: TokenStream = methods.map(|method| event(method, errors)).collect();
    // By a short name, so that what is wrong with a type is an error there, and at no path before it.
    quote! {
        use #krate::typescript::probe::{Otherwise as _, Probe as __Probe};
        #statements
    }
}

fn event(method: &Method, errors: &mut Errors) -> TokenStream {
    let (cfgs, docs, names) = (&method.cfgs, &method.docs, &method.argument_names);
    // A method takes two spellings of its name; the first is its own.
    let Some(name) = method.names.first() else {
        return TokenStream::new();
    };
    let args = method
        .told
        .args
        .as_ref()
        .map(|ty| quote_spanned!(span_at(ty)=> event.args::<#ty>();));
    let answer = answer(method, errors);
    let parameters = method
        .parameters
        .iter()
        .map(|ty| quote_spanned!(span_at(ty)=> __Probe::<#ty>::default().describe(&mut event);));
    quote! {
        #(#cfgs)*
        {
            let mut event = events.event(#name, &[#(#docs),*], &[#(#names),*]);
            #args
            #answer
            #(#parameters)*
        }
    }
}

fn answer(method: &Method, errors: &mut Errors) -> Option<TokenStream> {
    if let Some(ty) = &method.told.ack {
        return Some(quote_spanned!(span_at(ty)=> event.ack::<#ty>();));
    }
    match &method.output {
        ReturnType::Default => None,
        ReturnType::Type(_, ty) if matches!(**ty, Type::ImplTrait(_)) => {
            errors.add(
                ty,
                "for TypeScript this type must be named, or the answer: `#[event(ack = T)]`",
            );
            None
        }
        ReturnType::Type(_, ty) => Some(quote_spanned!(span_at(ty)=> event.returns::<#ty>();)),
    }
}

/// Where mistakes at these tokens are named, for code that knows the variables of the macro.
pub(crate) fn span_at(tokens: &impl ToTokens) -> Span {
    Span::call_site().located_at(tokens.span())
}

/// What is for TypeScript alone.
pub(crate) fn check_not_told(methods: &[Method], remedy: &str, errors: &mut Errors) {
    for method in methods {
        for ty in method.told.args.iter().chain(&method.told.ack) {
            errors.add(ty, format!("only TypeScript needs to be told: write `{remedy}`"));
        }
    }
}

/// The names that a parameter gives to arguments: `Data(text)`, `Data(Args((x, y)))`.
pub(crate) fn argument_names(pattern: &Pat) -> Vec<String> {
    match pattern {
        Pat::Ident(ident) => vec![plain(&ident.ident)],
        Pat::TupleStruct(pattern) => pattern.elems.iter().flat_map(argument_names).collect(),
        Pat::Tuple(pattern) => pattern.elems.iter().flat_map(argument_names).collect(),
        Pat::Paren(pattern) => argument_names(&pattern.pat),
        // Something that counts, so that no other names seem to be all of them.
        _ => vec![String::new()],
    }
}
