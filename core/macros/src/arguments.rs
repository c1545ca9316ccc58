//! What stands in the parentheses of `#[namespace(…)]` and `#[namespace_methods(…)]`.

use syn::{
    Path, Token,
    parse::{Parse, ParseStream},
};

/// `typescript, Presence, Rooms, crate = path`.
pub(crate) struct Arguments {
    /// Traits whose methods are the namespace's, too.
    pub(crate) traits: Vec<Path>,
    /// Whether the types of its events are told to TypeScript.
    pub(crate) typescript: bool,
    /// Where the names of `tower-socketio` are.
    pub(crate) krate: Option<Path>,
}

impl Parse for Arguments {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let (mut traits, mut typescript, mut krate) = (Vec::new(), false, None);
        while !input.is_empty() {
            if input.peek(Token![crate]) && input.peek2(Token![=]) {
                input.parse::<Token![crate]>()?;
                input.parse::<Token![=]>()?;
                krate = Some(input.parse()?);
            } else {
                let path: Path = input.parse()?;
                if !input.is_empty() && !input.peek(Token![,]) {
                    return Err(syn::Error::new_spanned(
                        path,
                        "unknown argument: this takes names of traits, `typescript`, and `crate = path`",
                    ));
                }
                if path.is_ident("typescript") {
                    typescript = true;
                } else {
                    traits.push(path);
                }
            }
            if !input.is_empty() {
                input.parse::<Token![,]>()?;
            }
        }
        Ok(Self {
            traits,
            typescript,
            krate,
        })
    }
}
