//! Methods: what their attributes make of them, and whether their signatures suit that.

use syn::{Attribute, FnArg, Ident, Meta, Pat, ReceiverKind, ReturnType, Signature, Type, ext::IdentExt as _};

use crate::{
    errors::Errors,
    event_attribute::{EventAttribute, docs},
    events,
    typescript::argument_names,
};

/// As many as a handler may have.
const MAX_PARAMETERS: usize = 8;

/// What a method is, by its attribute.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    Acl,
    Connect,
    Event,
    Message,
    Json,
    Any,
    Disconnect,
    Error,
}

impl Role {
    const ALL: [Self; 8] = [
        Self::Acl,
        Self::Connect,
        Self::Event,
        Self::Message,
        Self::Json,
        Self::Any,
        Self::Disconnect,
        Self::Error,
    ];

    /// The attribute's name.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Acl => "acl",
            Self::Connect => "connect",
            Self::Event => "event",
            Self::Message => "message",
            Self::Json => "json",
            Self::Any => "any",
            Self::Disconnect => "disconnect",
            Self::Error => "error",
        }
    }

    fn of(attribute: &Attribute) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|role| attribute.path().is_ident(role.name()))
    }

    /// Whether it is a handler of an event that a trait may have, too.
    pub(crate) fn is_event(self) -> bool {
        matches!(self, Self::Event | Self::Message | Self::Json)
    }

    /// Whether it is called with the value of a socket.
    fn has_value(self) -> bool {
        self.is_event() || matches!(self, Self::Any | Self::Disconnect)
    }

    fn is_async(self) -> bool {
        self.has_value() || self == Self::Connect
    }
}

/// A method with an attribute.
pub(crate) struct Method {
    pub(crate) role: Role,
    pub(crate) ident: Ident,
    /// Events of these names; the first is the variant's.
    pub(crate) names: Vec<String>,
    /// `#[cfg(…)]`: it goes for what is generated for the method.
    pub(crate) cfgs: Vec<Attribute>,
    /// The types of its parameters, without `self`.
    pub(crate) parameters: Vec<Type>,
    pub(crate) output: ReturnType,
    /// What its documentation says, line by line.
    pub(crate) docs: Vec<String>,
    /// What its patterns call the arguments.
    pub(crate) argument_names: Vec<String>,
    /// What its attribute says besides the name.
    pub(crate) told: EventAttribute,
}

impl Method {
    /// Takes the attribute off a method that has one.
    pub(crate) fn take(attributes: &mut Vec<Attribute>, signature: &Signature, errors: &mut Errors) -> Option<Self> {
        let mut taken = attributes.extract_if(.., |attribute| Role::of(attribute).is_some());
        let attribute = taken.next()?;
        let role = Role::of(&attribute)?;
        for second in taken {
            let message = match Role::of(&second) {
                Some(second) if second != role => format!(
                    "`{}` has `#[{}]` already: write a method for each",
                    signature.ident,
                    role.name()
                ),
                _ => format!("`#[{}]` stands here twice", role.name()),
            };
            errors.add(second, message);
        }
        let mut told = errors.keep(told(role, &attribute)).unwrap_or_default();
        check(role, signature, errors);
        let cfgs = cfgs(attributes);
        if let (Some(cfg), Role::Connect | Role::Message | Role::Json) = (cfgs.first(), role) {
            errors.add(
                cfg,
                format!("a `#[{}]` method is always there: put `cfg!` into it", role.name()),
            );
        }
        Some(Self {
            role,
            ident: signature.ident.clone(),
            names: match role {
                Role::Event => events::names(told.name.take(), &signature.ident, errors),
                Role::Message | Role::Json => vec!["message".to_owned()],
                _ => Vec::new(),
            },
            cfgs,
            parameters: parameters(signature).map(Type::clone).collect(),
            output: signature.output.clone(),
            docs: docs(attributes),
            argument_names: patterns_of_arguments(signature).flat_map(argument_names).collect(),
            told,
        })
    }

    /// Whether the two exclude each other, which `#[cfg]` may undo.
    fn is_beside(&self, other: &Self) -> bool {
        self.cfgs.is_empty() && other.cfgs.is_empty()
    }
}

/// The `#[cfg(…)]` among the attributes.
pub(crate) fn cfgs(attributes: &[Attribute]) -> Vec<Attribute> {
    let cfgs = attributes.iter().filter(|attribute| attribute.path().is_ident("cfg"));
    cfgs.cloned().collect()
}

/// What stands in the attribute's parentheses.
fn told(role: Role, attribute: &Attribute) -> syn::Result<EventAttribute> {
    match (&attribute.meta, role) {
        (Meta::Path(_), _) => Ok(EventAttribute::default()),
        (_, Role::Event) => attribute.parse_args().map_err(|_| {
            let message = "only the event's name, `args = T` and `ack = T` can stand here: `#[event(\"its name\")]`";
            syn::Error::new_spanned(attribute, message)
        }),
        _ => {
            let message = format!("`#[{}]` takes no arguments", role.name());
            Err(syn::Error::new_spanned(attribute, message))
        }
    }
}

fn parameters(signature: &Signature) -> impl Iterator<Item = &Type> {
    signature.inputs.iter().filter_map(|input| match input {
        FnArg::Typed(parameter) => Some(&*parameter.ty),
        FnArg::Receiver(_) => None,
    })
}

/// The patterns that take an event's arguments apart: `Data(…)`.
fn patterns_of_arguments(signature: &Signature) -> impl Iterator<Item = &Pat> {
    signature.inputs.iter().filter_map(|input| match input {
        FnArg::Typed(parameter) => match &*parameter.pat {
            pattern @ Pat::TupleStruct(data) if data.path.segments.last()?.ident == "Data" => Some(pattern),
            _ => None,
        },
        FnArg::Receiver(_) => None,
    })
}

/// Whether the signature is one of that role.
fn check(role: Role, signature: &Signature, errors: &mut Errors) {
    let (name, ident) = (role.name(), &signature.ident);
    match (role.is_async(), &signature.asyncness) {
        (true, None) => errors.add(
            signature.fn_token,
            format!("a `#[{name}]` method is async: write `async fn {ident}`"),
        ),
        (false, Some(asyncness)) => errors.add(
            asyncness,
            format!("a `#[{name}]` function is not async: it is asked at once, and must not block"),
        ),
        _ => {}
    }
    check_receiver(role, signature, errors);
    if !signature.generics.params.is_empty() {
        let message = format!("a `#[{name}]` method has no generic parameters: nothing would say what they are");
        errors.add(&signature.generics, message);
    }
    if !role.is_async() {
        return;
    }
    if let Some(extra) = parameters(signature).nth(MAX_PARAMETERS) {
        let message = format!("a method has {MAX_PARAMETERS} extractors at most: put several into one of your own");
        errors.add(extra, message);
    }
    for parameter in parameters(signature) {
        if matches!(parameter, Type::ImplTrait(_)) {
            errors.add(
                parameter,
                "an extractor's type must be named here: it says what is extracted",
            );
        }
    }
}

fn check_receiver(role: Role, signature: &Signature, errors: &mut Errors) {
    let name = role.name();
    let shared = || format!("a `#[{name}]` method takes `&self`");
    match (role.has_value(), signature.receiver()) {
        (true, None) => errors.add(
            &signature.ident,
            format!("{}: it is called on the value that belongs to the socket", shared()),
        ),
        (true, Some(receiver)) => match &receiver.kind {
            ReceiverKind::Reference(_, _, None) => {}
            ReceiverKind::Reference(_, _, Some(_)) => errors.add(
                receiver,
                format!(
                    "{}: a socket's handlers interleave and share its value, so keep what changes in a `Mutex` or an atomic",
                    shared()
                ),
            ),
            _ => errors.add(
                receiver,
                format!("{}; where it needs the `Arc`, a parameter `this: This<Self>`", shared()),
            ),
        },
        (false, Some(receiver)) => errors.add(
            receiver,
            format!("a `#[{name}]` function has no `self`: {}", match role {
                Role::Connect => "it makes the value, and returns `Self` or `Result<Self, Refusal>`",
                Role::Acl => "it is asked before a value is made",
                _ => "it may be told of clients that have no value",
            }),
        ),
        (false, None) => {}
    }
}

/// Whether the methods can stand beside each other.
pub(crate) fn check_together(methods: &[Method], errors: &mut Errors) {
    for (index, method) in methods.iter().enumerate() {
        let mut before = methods[..index].iter().filter(|other| method.is_beside(other));
        let twin = match method.role {
            Role::Event => None,
            role => before.clone().find(|other| other.role == role),
        };
        if let Some(twin) = twin {
            let message = format!("`{}` is the `#[{}]` method already", twin.ident, method.role.name());
            errors.add(&method.ident, message);
            continue;
        }
        let same_event = |other: &&Method| {
            let is_pair = method.role != other.role && method.role != Role::Event && other.role != Role::Event;
            !is_pair && other.names.iter().any(|name| method.names.contains(name))
        };
        if let Some(other) = before.find(same_event) {
            let name = other.names.iter().find(|name| method.names.contains(name));
            let message = format!(
                "the event {:?} has a method already: `{}`",
                name.map_or("", String::as_str),
                other.ident
            );
            errors.add(&method.ident, message);
        }
    }
}

/// In a trait: methods that belong to a type are mistakes.
pub(crate) fn check_in_trait(methods: &[Method], errors: &mut Errors) {
    for method in methods.iter().filter(|method| !method.role.is_event()) {
        let message = format!(
            "`#[{}]` belongs to a type: a trait has methods with `#[event]`, `#[message]` and `#[json]`",
            method.role.name()
        );
        errors.add(&method.ident, message);
    }
}

/// The name without `r#`.
pub(crate) fn plain(ident: &Ident) -> String {
    ident.unraw().to_string()
}
