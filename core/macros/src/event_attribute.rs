//! What stands in the parentheses of `#[event(…)]` above a method.

use syn::{
    Attribute, Expr, ExprLit, Ident, Lit, LitStr, Meta, Token, Type,
    ext::IdentExt as _,
    parse::{Parse, ParseStream},
};

/// `"name", args = T, ack = T`.
#[derive(Default)]
pub(crate) struct EventAttribute {
    pub(crate) name: Option<LitStr>,
    /// What the method reads, for TypeScript.
    pub(crate) args: Option<Type>,
    /// What it answers, for TypeScript.
    pub(crate) ack: Option<Type>,
}

impl Parse for EventAttribute {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let mut this = Self::default();
        while !input.is_empty() {
            if input.peek(LitStr) && this.name.is_none() {
                this.name = Some(input.parse()?);
            } else {
                let key = Ident::parse_any(input)?;
                let ty = match &*key.to_string() {
                    "args" if this.args.is_none() => &mut this.args,
                    "ack" if this.ack.is_none() => &mut this.ack,
                    _ => return Err(syn::Error::new(key.span(), "not an argument of `#[event]`")),
                };
                input.parse::<Token![=]>()?;
                *ty = Some(input.parse()?);
            }
            if !input.is_empty() {
                input.parse::<Token![,]>()?;
            }
        }
        Ok(this)
    }
}

/// The lines of the documentation among the attributes.
pub(crate) fn docs(attributes: &[Attribute]) -> Vec<String> {
    let texts = attributes.iter().filter_map(|attribute| match &attribute.meta {
        Meta::NameValue(meta) if meta.path.is_ident("doc") => match &meta.value {
            Expr::Lit(ExprLit {
                lit: Lit::Str(text), ..
            }) => Some(text.value()),
            _ => None,
        },
        _ => None,
    });
    texts
        .flat_map(|text| text.split('\n').map(str::to_owned).collect::<Vec<_>>())
        .collect()
}
