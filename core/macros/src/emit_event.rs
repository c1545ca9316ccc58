//! `#[derive(EmitEvent)]`: events as values.

use proc_macro2::{Group, Ident, Spacing, TokenStream, TokenTree};
use quote::{ToTokens, format_ident, quote, quote_spanned};
use syn::{
    Attribute, Data, DeriveInput, Field, Fields, GenericParam, Generics, LitStr, Path, Token, Type,
    ext::IdentExt as _,
    parse::{Parse, ParseStream},
};

use crate::{
    errors::Errors,
    event_attribute::docs,
    events::{is_reserved, reserved},
    krate,
    parse::{cfgs, plain},
    typescript::span_at,
    words::Case,
};

/// As many as `Args` has places for.
const MAX_ARGUMENTS: usize = 8;

/// `#[event(…)]` above the type or a variant.
#[derive(Default)]
struct Attributes {
    name: Option<LitStr>,
    rename_all: Option<Case>,
    /// What its client answers.
    ack: Option<Type>,
    is_typed: bool,
    krate: Option<Path>,
}

/// One event: the struct, or a variant of the enum.
struct Event<'a> {
    name: String,
    /// `Self` or `Self::Variant`.
    path: TokenStream,
    fields: &'a Fields,
    docs: Vec<String>,
    cfgs: Vec<Attribute>,
    /// The type itself is the argument: a struct that has named fields.
    is_argument: bool,
    ident: &'a Ident,
    ack: Option<&'a Type>,
}

pub(crate) fn derive(input: &DeriveInput) -> TokenStream {
    let mut errors = Errors::default();
    let attributes = Attributes::of(&input.attrs, &mut errors);
    let events = events(input, &attributes, &mut errors);
    let krate = match &attributes.krate {
        Some(krate) => Some(krate.clone()),
        None => errors.keep(krate::path()),
    };
    let Some(krate) = krate.filter(|_| errors.is_empty()) else {
        return errors.into_tokens();
    };
    let names = events.iter().map(|event| {
        let (cfgs, path, name) = (&event.cfgs, &event.path, &event.name);
        quote!(#(#cfgs)* #path { .. } => #name,)
    });
    let arms = events.iter().map(|event| event.write(&krate));
    let types = attributes.is_typed.then(|| types(input, &events, &krate));
    let ident = &input.ident;
    let (generics, ty_generics, where_clause) = input.generics.split_for_impl();
    let ack = attributes.ack.as_ref().map(|ack| {
        quote! {
            #[automatically_derived]
            impl #generics #krate::EmitEventWithAck for #ident #ty_generics #where_clause {
                type Ack = #ack;
            }
        }
    });
    quote! {
        #[automatically_derived]
        #[allow(clippy::all, clippy::pedantic, unused_variables, non_snake_case)]
        impl #generics #krate::EmitEvent for #ident #ty_generics #where_clause {
            fn event_name(&self) -> &'static str {
                match *self { #(#names)* }
            }

            fn write_args(
                &self,
                out: &mut ::std::vec::Vec<u8>,
                attachments: &mut ::std::vec::Vec<#krate::__private::Bytes>,
            ) -> ::core::result::Result<(), #krate::EncodeError> {
                match self { #(#arms)* }
            }
        }
        #ack
        #types
    }
}

fn events<'a>(input: &'a DeriveInput, attributes: &'a Attributes, errors: &mut Errors) -> Vec<Event<'a>> {
    let case = attributes.rename_all.unwrap_or_default();
    let events: Vec<_> = match &input.data {
        Data::Struct(data) => {
            let name = name(&input.ident, attributes.name.as_ref(), case, errors);
            vec![Event {
                name,
                path: quote!(Self),
                fields: &data.fields,
                docs: docs(&input.attrs),
                cfgs: Vec::new(),
                is_argument: matches!(data.fields, Fields::Named(_)),
                ident: &input.ident,
                ack: attributes.ack.as_ref(),
            }]
        }
        Data::Enum(data) => {
            if let Some(name) = &attributes.name {
                errors.add(
                    name,
                    "an enum has a name for each variant: write this above one of them",
                );
            }
            if let Some(ack) = &attributes.ack {
                errors.add(ack, "an event that is answered is a struct, whose answer has one type");
            }
            let event = |variant: &'a syn::Variant| {
                let given = Attributes::of_variant(variant, errors);
                let ident = &variant.ident;
                Event {
                    name: name(ident, given.as_ref(), case, errors),
                    path: quote!(Self::#ident),
                    fields: &variant.fields,
                    docs: docs(&variant.attrs),
                    cfgs: cfgs(&variant.attrs),
                    is_argument: false,
                    ident,
                    ack: None,
                }
            };
            data.variants.iter().map(event).collect()
        }
        Data::Union(_) => {
            errors.add(&input.ident, "an event is a struct or a variant of an enum");
            Vec::new()
        }
    };
    if matches!(&input.data, Data::Enum(data) if data.variants.is_empty()) {
        errors.add(&input.ident, "an enum without variants is no event: add one");
    }
    for event in &events {
        event.check(errors);
    }
    events
}

/// The event's name, as it was given or as the type's is written.
fn name(ident: &Ident, given: Option<&LitStr>, case: Case, errors: &mut Errors) -> String {
    let name = given.map_or_else(|| case.write(&plain(ident)), LitStr::value);
    if is_reserved(&name) {
        let message = reserved(&name, "use another name");
        match given {
            Some(given) => errors.add(given, message),
            None => errors.add(ident, message),
        }
    }
    name
}

impl Event<'_> {
    fn check(&self, errors: &mut Errors) {
        if self.is_argument {
            return;
        }
        match self.fields {
            Fields::Unnamed(fields) => {
                if let Some(extra) = fields.unnamed.iter().nth(MAX_ARGUMENTS) {
                    let message = format!("an event has {MAX_ARGUMENTS} arguments at most: put several into a struct");
                    errors.add(extra, message);
                }
            }
            Fields::Named(fields) => {
                let attributes = fields.named.iter().flat_map(|field| &field.attrs);
                for attribute in attributes.filter(|attribute| attribute.path().is_ident("serde")) {
                    errors.add(
                        attribute,
                        "fields of a variant have no attributes of serde: give the variant a struct that has them",
                    );
                }
            }
            Fields::Unit => {}
        }
    }

    fn is_object(&self) -> bool {
        matches!(self.fields, Fields::Named(_))
    }

    /// The arm that writes the arguments.
    fn write(&self, krate: &Path) -> TokenStream {
        let (cfgs, path) = (&self.cfgs, &self.path);
        if self.is_argument {
            let argument = checked(krate, "self", self.ident);
            return quote!(_ => #krate::EmitArgs::write(&#argument, out, attachments),);
        }
        let members = self.fields.members().collect::<Vec<_>>();
        let bound: Vec<_> = (0..members.len()).map(|index| format_ident!("field_{index}")).collect();
        let bound_fields = bound.iter().zip(self.fields);
        let checked: Vec<_> = bound_fields
            .map(|(name, field)| checked(krate, &name.to_string(), &field.ty))
            .collect();
        let args = if self.is_object() {
            object(self.fields, &checked, krate)
        } else {
            quote!(#krate::Args((#(#checked,)*)))
        };
        quote! {
            #(#cfgs)*
            #path { #(#members: #bound),* } => #krate::EmitArgs::write(&#args, out, attachments),
        }
    }

    /// The statements that tell TypeScript of it.
    fn describe(&self, krate: &Path) -> TokenStream {
        let Self { name, docs, cfgs, .. } = self;
        let ack = self.ack.map(|ty| quote_spanned!(span_at(ty)=> event.ack::<#ty>();));
        let statements = if self.is_argument {
            quote!(event.argument::<Self>();)
        } else if self.is_object() {
            let fields = self.fields.iter().map(|field| {
                let (name, ty) = (field_name(field), without_lifetimes(&field.ty));
                quote_spanned!(span_at(&field.ty)=> (#name, #krate::typescript::field::<#ty>),)
            });
            quote!(event.object(&[#(#fields)*]);)
        } else {
            let types = self.fields.iter().map(|field| {
                let ty = without_lifetimes(&field.ty);
                quote_spanned!(span_at(&field.ty)=> event.argument::<#ty>();)
            });
            quote!(#(#types)*)
        };
        quote! {
            #(#cfgs)*
            {
                let mut event = events.event(#name, &[#(#docs),*], &[]);
                #statements
                #ack
            }
        }
    }
}

/// The variable as an argument, which is an error at these tokens if it is none.
fn checked(krate: &Path, variable: &str, at: &impl ToTokens) -> TokenStream {
    let span = span_at(at);
    let variable = Ident::new(variable, span);
    quote_spanned!(span=> #krate::__private::argument(#variable))
}

/// One value of the fields: an object.
fn object(fields: &Fields, values: &[TokenStream], krate: &Path) -> TokenStream {
    let names: Vec<_> = fields.iter().map(field_name).collect();
    let types: Vec<_> = (0..names.len()).map(|index| format_ident!("Field{index}")).collect();
    let (count, numbers) = (names.len(), (0..names.len()).map(syn::Index::from));
    let serde = quote!(#krate::__private::serde);
    quote! {
        {
            struct Object<#(#types),*>(#(#types),*);

            impl<#(#types: #serde::Serialize),*> #serde::Serialize for Object<#(#types),*> {
                fn serialize<S: #serde::Serializer>(
                    &self,
                    serializer: S,
                ) -> ::core::result::Result<S::Ok, S::Error> {
                    let mut object = #serde::Serializer::serialize_struct(serializer, "", #count)?;
                    #(#serde::ser::SerializeStruct::serialize_field(&mut object, #names, &self.#numbers)?;)*
                    #serde::ser::SerializeStruct::end(object)
                }
            }

            Object(#(#values),*)
        }
    }
}

fn field_name(field: &Field) -> String {
    field.ident.as_ref().map(plain).unwrap_or_default()
}

/// What describes the type to TypeScript, which knows no lifetimes.
fn types(input: &DeriveInput, events: &[Event<'_>], krate: &Path) -> TokenStream {
    let ident = &input.ident;
    let (_, ty_generics, where_clause) = input.generics.split_for_impl();
    let ty_generics = without_lifetimes(&ty_generics);
    let params = input.generics.params.iter();
    let params = params.filter(|param| !matches!(param, GenericParam::Lifetime(_)));
    let generics = Generics {
        params: params.cloned().collect(),
        ..input.generics.clone()
    };
    let (generics, ..) = generics.split_for_impl();
    let events = events.iter().map(|event| event.describe(krate));
    quote! {
        #[automatically_derived]
        #[allow(clippy::all, clippy::pedantic, unused_mut)]
        impl #generics #krate::typescript::Emits for #ident #ty_generics #where_clause {
            fn describe(events: &mut #krate::typescript::Described) {
                #(#events)*
            }
        }
    }
}

/// The tokens with `'static` for every lifetime.
fn without_lifetimes(tokens: &impl ToTokens) -> TokenStream {
    let mut is_lifetime = false;
    let tokens = tokens.to_token_stream().into_iter().map(|token| match token {
        TokenTree::Ident(ident) if std::mem::take(&mut is_lifetime) => Ident::new("static", ident.span()).into(),
        TokenTree::Punct(punct) => {
            is_lifetime = punct.as_char() == '\'' && punct.spacing() == Spacing::Joint;
            punct.into()
        }
        TokenTree::Group(group) => {
            let mut inner = Group::new(group.delimiter(), without_lifetimes(&group.stream()));
            inner.set_span(group.span());
            inner.into()
        }
        token => token,
    });
    tokens.collect()
}

impl Parse for Attributes {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let mut this = Self::default();
        while !input.is_empty() {
            if input.peek(LitStr) {
                this.name = Some(input.parse()?);
            } else {
                let key = Ident::parse_any(input)?;
                match &*key.to_string() {
                    "typescript" => this.is_typed = true,
                    "rename_all" => {
                        input.parse::<Token![=]>()?;
                        this.rename_all = Some(Case::parse(&input.parse()?)?);
                    }
                    "ack" => {
                        input.parse::<Token![=]>()?;
                        this.ack = Some(input.parse()?);
                    }
                    "crate" => {
                        input.parse::<Token![=]>()?;
                        this.krate = Some(input.parse()?);
                    }
                    _ => {
                        let message = "unknown argument: this takes the event's name, `rename_all = \"…\"`, \
                                       `ack = T`, `typescript`, and `crate = path`";
                        return Err(syn::Error::new(key.span(), message));
                    }
                }
            }
            if !input.is_empty() {
                input.parse::<Token![,]>()?;
            }
        }
        Ok(this)
    }
}

impl Attributes {
    /// Those of the type or a variant.
    fn of(attributes: &[Attribute], errors: &mut Errors) -> Self {
        let mut this = None;
        for attribute in attributes.iter().filter(|attribute| attribute.path().is_ident("event")) {
            if this.is_some() {
                errors.add(attribute, "`#[event]` stands here twice");
            }
            this = errors.keep(attribute.parse_args());
        }
        this.unwrap_or_default()
    }

    /// A variant has a name, and nothing else.
    fn of_variant(variant: &syn::Variant, errors: &mut Errors) -> Option<LitStr> {
        let this = Self::of(&variant.attrs, errors);
        if this.rename_all.is_some() || this.ack.is_some() || this.is_typed || this.krate.is_some() {
            errors.add(
                variant,
                "`#[event]` above a variant takes its name alone: the rest stands above the enum",
            );
        }
        this.name
    }
}
