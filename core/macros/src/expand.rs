//! The two macros: the item as it was, and what makes its methods handlers.

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, quote, quote_spanned};
use syn::{
    Block, Ident, ImplItem, Item, ItemImpl, ItemTrait, ReturnType, Signature, TraitItem, Type, parse_quote,
    spanned::Spanned as _,
};

use crate::{
    arguments::Arguments,
    errors::Errors,
    events::Events,
    krate,
    parse::{Method, Role, cfgs, check_in_trait, check_together},
    register::Registrations,
    typescript,
};

/// Where the macros stand.
const NAMESPACE: &str = "`#[namespace]` stands above an `impl` block of a type's own methods: `impl Chat { … }`";
const NAMESPACE_METHODS: &str =
    "`#[namespace_methods]` stands above a trait; above an `impl` block, `#[namespace]` does";

/// `#[namespace]` on an `impl` block.
pub(crate) fn namespace(arguments: syn::Result<Arguments>, item: Item) -> TokenStream {
    let mut errors = Errors::default();
    let Item::Impl(mut item) = item else {
        return misplaced(NAMESPACE, &item);
    };
    let methods = methods_of_type(&mut item, &mut errors);
    if item.trait_.is_some() {
        return misplaced(NAMESPACE, &item);
    }
    let Some(owner) = name_of(&item.self_ty).cloned() else {
        let message = "a namespace is a type with a name, as `Chat`: its events are called `ChatEvent`";
        errors.add(&item.self_ty, message);
        return errors.into_tokens();
    };
    check_together(&methods, &mut errors);
    let arguments = errors.keep(arguments);
    let is_typed = arguments.as_ref().is_none_or(|arguments| arguments.typescript);
    if !is_typed {
        typescript::check_not_told(&methods, "#[namespace(typescript)]", &mut errors);
    }
    let traits = arguments.as_ref().map_or(&[][..], |arguments| &arguments.traits);
    let krate = krate_path(arguments.as_ref(), &mut errors);
    let cfgs = cfgs(&item.attrs);
    let events = Events {
        owner: &owner,
        visibility: &parse_quote!(pub),
        cfgs: &cfgs,
        methods: &methods,
    }
    .expand(&mut errors);
    let Some(krate) = krate else {
        let errors = errors.into_tokens();
        return quote!(#errors #item #events);
    };

    let is_made = methods.iter().any(|method| method.role == Role::Connect);
    let self_ty = &item.self_ty;
    let by_default = (!is_made).then(|| {
        let make = quote_spanned!(owner.span()=> <Self as #krate::__private::MadeByDefault>::make());
        quote! {
            namespace.on_connect(async |socket: #krate::Socket| #krate::__private::keep_or_make::<Self>(&socket, || #make));
        }
    });
    let registrations = Registrations {
        krate: &krate,
        callee: quote!(Self),
        methods: &methods,
    }
    .expand();
    let of_traits = traits
        .iter()
        .map(|path| quote_spanned!(path.span()=> <Self as #path>::__namespace_methods(namespace);));
    let types = is_typed.then(|| typescript::describe(&krate, &methods, &mut errors));
    let types_of_traits = traits
        .iter()
        .map(|path| quote_spanned!(path.span()=> <Self as #path>::__typescript_of_namespace_methods(events);));
    let (generics, _, where_clause) = item.generics.split_for_impl();
    // Where mistakes have been named, what follows from them need not be.
    let (body, types) = if errors.is_empty() {
        let body = quote! {
            #by_default
            #registrations
            #(#of_traits)*
        };
        let types = types.map(|types| {
            quote! {
                #(#cfgs)*
                #[automatically_derived]
                #[allow(clippy::all, clippy::pedantic, unused_imports, unused_mut, unused_variables)]
                impl #generics #krate::typescript::Receives for #self_ty #where_clause {
                    fn describe(events: &mut #krate::typescript::Described) {
                        #types
                        #(#types_of_traits)*
                    }
                }
            }
        });
        (body, types)
    } else {
        (TokenStream::new(), None)
    };
    let errors = errors.into_tokens();
    quote! {
        #errors
        #item
        #events
        #(#cfgs)*
        #[automatically_derived]
        #[allow(clippy::all, clippy::pedantic, unused_variables)]
        impl #generics #krate::Controller for #self_ty #where_clause {
            fn register(namespace: &#krate::Namespace) {
                #body
            }
        }
        #types
    }
}

/// `#[namespace_methods]` on a trait.
pub(crate) fn namespace_methods(arguments: syn::Result<Arguments>, item: Item) -> TokenStream {
    let mut errors = Errors::default();
    let Item::Trait(mut item) = item else {
        return misplaced(NAMESPACE_METHODS, &item);
    };
    let methods = methods_of_trait(&mut item, &mut errors);
    check_in_trait(&methods, &mut errors);
    check_together(&methods, &mut errors);
    let arguments = errors.keep(arguments);
    for extra in arguments.iter().flat_map(|arguments| &arguments.traits) {
        errors.add(extra, "unknown argument: this takes `typescript` and `crate = path`");
    }
    let is_typed = arguments.as_ref().is_none_or(|arguments| arguments.typescript);
    if !is_typed {
        typescript::check_not_told(&methods, "#[namespace_methods(typescript)]", &mut errors);
    }
    let krate = krate_path(arguments.as_ref(), &mut errors);
    let events = Events {
        owner: &item.ident,
        visibility: &item.vis,
        cfgs: &cfgs(&item.attrs),
        methods: &methods,
    }
    .expand(&mut errors);
    share(&mut item);
    if let Some(krate) = krate {
        let types = is_typed.then(|| typescript::describe(&krate, &methods, &mut errors));
        // The mistakes have been named; what follows from them need not be.
        let is_right = errors.is_empty();
        let methods = if is_right { &*methods } else { &[] };
        item.items.push(hidden_registration(&item, methods, &krate));
        if let Some(types) = types.filter(|_| is_right) {
            item.items.push(hidden_types(&types, &krate));
        }
    }
    let errors = errors.into_tokens();
    quote!(#errors #item #events)
}

/// The macro stands on something else.
fn misplaced(message: &str, item: &impl ToTokens) -> TokenStream {
    let error = syn::Error::new(Span::call_site(), message).to_compile_error();
    quote!(#error #item)
}

/// The path of `tower-socketio`, as it was given or is found.
fn krate_path(arguments: Option<&Arguments>, errors: &mut Errors) -> Option<syn::Path> {
    match arguments.and_then(|arguments| arguments.krate.clone()) {
        Some(krate) => Some(krate),
        None => errors.keep(krate::path()),
    }
}

/// What the type is called.
fn name_of(ty: &Type) -> Option<&Ident> {
    match ty {
        Type::Path(path) => path.path.segments.last().map(|segment| &segment.ident),
        Type::Group(group) => name_of(&group.elem),
        _ => None,
    }
}

fn methods_of_type(item: &mut ItemImpl, errors: &mut Errors) -> Vec<Method> {
    let mut methods = Vec::new();
    for item in &mut item.items {
        if let ImplItem::Fn(function) = item
            && let Some(method) = Method::take(&mut function.attrs, &function.sig, errors)
        {
            // They have to be async and to take `&self`, whether they need it or not.
            function
                .attrs
                .push(parse_quote!(#[allow(clippy::unused_async, clippy::unused_self)]));
            methods.push(method);
        }
    }
    methods
}

fn methods_of_trait(item: &mut ItemTrait, errors: &mut Errors) -> Vec<Method> {
    let mut methods = Vec::new();
    for item in &mut item.items {
        if let TraitItem::Fn(function) = item {
            methods.extend(Method::take(&mut function.attrs, &function.sig, errors));
            desugar(&mut function.sig, function.default.as_mut());
        }
    }
    methods
}

/// Writes an async method of a trait such that its future is known to be `Send`.
fn desugar(signature: &mut Signature, body: Option<&mut Block>) {
    if signature.asyncness.take().is_none() {
        return;
    }
    let output: Type = match &signature.output {
        ReturnType::Default => parse_quote!(()),
        ReturnType::Type(_, output) => (**output).clone(),
    };
    signature.output = parse_quote!(-> impl ::core::future::Future<Output = #output> + ::core::marker::Send);
    if let Some(body) = body {
        *body = parse_quote!({ async move #body });
    }
}

/// The trait's function that `#[namespace(Trait)]` calls.
fn hidden_registration(item: &ItemTrait, methods: &[Method], krate: &syn::Path) -> TraitItem {
    let (ident, (_, generics, _)) = (&item.ident, item.generics.split_for_impl());
    let registrations = Registrations {
        krate,
        callee: quote!(<Self as #ident #generics>),
        methods,
    }
    .expand();
    parse_quote! {
        #[doc(hidden)]
        #[allow(clippy::all, clippy::pedantic, unused_variables)]
        fn __namespace_methods(namespace: &#krate::Namespace)
        where
            Self: #krate::Controller,
        {
            #registrations
        }
    }
}

/// The trait's function that `#[namespace(typescript, Trait)]` calls.
fn hidden_types(types: &TokenStream, krate: &syn::Path) -> TraitItem {
    parse_quote! {
        #[doc(hidden)]
        #[allow(clippy::all, clippy::pedantic, unused_imports, unused_mut, unused_variables)]
        fn __typescript_of_namespace_methods(events: &mut #krate::typescript::Described)
        where
            Self: #krate::Controller,
        {
            #types
        }
    }
}

/// What every namespace is.
fn share(item: &mut ItemTrait) {
    item.colon_token.get_or_insert_default();
    item.supertraits.push(parse_quote!(::core::marker::Send));
    item.supertraits.push(parse_quote!(::core::marker::Sync));
    item.supertraits.push(parse_quote!('static));
}
