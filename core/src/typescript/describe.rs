//! What is known of events: names, arguments, answers, and the types that these need.

use std::{
    any::{TypeId, type_name},
    collections::{BTreeMap, HashSet},
    fmt,
};

use bytes::Bytes;
use ts_rs::{Config, TS, TypeVisitor};

use crate::{Ack, Args, RawArgs, Sid};

/// Who sends: bytes can be given in more ways than they arrive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Direction {
    ToServer,
    ToClient,
}

impl Direction {
    fn bytes(self) -> &'static str {
        match self {
            Self::ToServer => "ArrayBuffer | ArrayBufferView",
            Self::ToClient => "ArrayBuffer",
        }
    }
}

/// Arguments of an event or an answer.
#[doc(hidden)]
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Shape {
    /// Their types.
    pub(super) places: Vec<String>,
    /// Or any number of any.
    pub(super) is_open: bool,
}

/// Arguments whose types are known in TypeScript: those of `Data<T>`, `Ack<T>`, `#[event(args = T, ack = T)]`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` has no type in TypeScript",
    label = "not known in TypeScript",
    note = "one argument: a type with `#[derive(TS)]` of the crate `ts-rs`, and without borrowed data",
    note = "several or none: `Args` of a tuple of up to eight of them"
)]
pub trait Arguments {
    #[doc(hidden)]
    fn shape(types: &mut Types) -> Shape;
}

impl<T: TS + 'static> Arguments for T {
    fn shape(types: &mut Types) -> Shape {
        Shape {
            places: vec![types.name_of::<T>()],
            is_open: false,
        }
    }
}

impl Arguments for RawArgs {
    fn shape(_: &mut Types) -> Shape {
        Shape {
            places: Vec::new(),
            is_open: true,
        }
    }
}

macro_rules! impl_arguments {
    ($($T:ident)*) => {
        impl<$($T: TS + 'static),*> Arguments for Args<($($T,)*)> {
            #[allow(unused_variables, clippy::allow_attributes, reason = "one macro for any number")]
            fn shape(types: &mut Types) -> Shape {
                Shape {
                    places: vec![$(types.name_of::<$T>()),*],
                    is_open: false,
                }
            }
        }
    };
}

impl_arguments!();
impl_arguments!(A);
impl_arguments!(A B);
impl_arguments!(A B C);
impl_arguments!(A B C D);
impl_arguments!(A B C D E);
impl_arguments!(A B C D E F);
impl_arguments!(A B C D E F G);
impl_arguments!(A B C D E F G H);

/// What a method returns, as its client sees it.
#[diagnostic::on_unimplemented(
    message = "the answer `{Self}` has no type in TypeScript",
    label = "not known in TypeScript",
    note = "return nothing, `Ack<T>` or a `Result` of one of them, or say what is answered: `#[event(ack = T)]`"
)]
pub trait Answer {
    #[doc(hidden)]
    fn shape(types: &mut Types) -> Option<Shape>;
}

impl Answer for () {
    fn shape(_: &mut Types) -> Option<Shape> {
        None
    }
}

impl<T: Arguments> Answer for Ack<T> {
    fn shape(types: &mut Types) -> Option<Shape> {
        Some(T::shape(types))
    }
}

impl<T: Answer, E> Answer for Result<T, E> {
    fn shape(types: &mut Types) -> Option<Shape> {
        T::shape(types)
    }
}

/// A socket's id is text.
impl TS for Sid {
    type WithoutGenerics = Self;
    type OptionInnerType = Self;

    fn name(_: &Config) -> String {
        "string".to_owned()
    }

    fn inline(config: &Config) -> String {
        Self::name(config)
    }
}

/// Writes the type of an object's field: [`field`].
#[doc(hidden)]
pub type FieldType = fn(&mut Types) -> String;

/// How the type of an object's field is written.
#[doc(hidden)]
pub fn field<T: TS + 'static + ?Sized>(types: &mut Types) -> String {
    types.name_of::<T>()
}

/// The types that have been asked for, by name.
#[doc(hidden)]
pub struct Types {
    config: Config,
    direction: Direction,
    /// Of the event that is described.
    event: &'static str,
    seen: HashSet<TypeId>,
    /// What holds the type that is visited, outermost first.
    holders: Vec<&'static str>,
    /// By name: the declaration, and whose it is.
    pub(super) declared: BTreeMap<String, (String, &'static str)>,
    pub(super) problems: Vec<String>,
}

impl Types {
    fn new(direction: Direction) -> Self {
        Self {
            config: Config::default().with_large_int("number"),
            direction,
            event: "",
            seen: HashSet::new(),
            holders: Vec::new(),
            declared: BTreeMap::new(),
            problems: Vec::new(),
        }
    }

    /// How the type is written, whose declaration is noted.
    fn name_of<T: TS + 'static + ?Sized>(&mut self) -> String {
        let (bytes, id) = (self.direction.bytes(), TypeId::of::<T>());
        if id == TypeId::of::<Bytes>() {
            return bytes.to_owned();
        }
        if id == TypeId::of::<Option<Bytes>>() {
            return format!("{bytes} | null");
        }
        T::visit_generics(self);
        self.visit::<T>();
        T::name(&self.config)
    }
}

impl TypeVisitor for Types {
    fn visit<T: TS + 'static + ?Sized>(&mut self) {
        if TypeId::of::<T>() == TypeId::of::<Bytes>() {
            self.problems.push(match self.holders.last() {
                Some(holder) => format!(
                    "`{holder}` holds `Bytes`, which ts-rs takes for numbers: say `#[ts(type = \"ArrayBuffer\")]` above that field"
                ),
                None => format!(
                    "the event {:?} has `Bytes` within another type: put it into a struct, and say `#[ts(type = \"…\")]` above its field",
                    self.event
                ),
            });
            return;
        }
        if !self.seen.insert(TypeId::of::<T>()) {
            return;
        }
        let is_declared = T::output_path().is_some();
        if is_declared {
            let text = format!("{}export {}\n", T::docs().unwrap_or_default(), T::decl(&self.config));
            note(
                &mut self.declared,
                &mut self.problems,
                T::ident(&self.config),
                (text, type_name::<T>()),
            );
            self.holders.push(type_name::<T>());
        }
        T::visit_dependencies(self);
        if is_declared {
            self.holders.pop();
        }
    }
}

/// Notes a declaration, which must be the only one of its name.
pub(super) fn note(
    declared: &mut BTreeMap<String, (String, &'static str)>,
    problems: &mut Vec<String>,
    name: String,
    new: (String, &'static str),
) {
    match declared.get(&name) {
        Some(old) if old.0 != new.0 => problems.push(format!(
            "`{}` and `{}` are both called `{name}`: say `#[ts(rename = \"…\")]` above one of them",
            old.1, new.1
        )),
        Some(_) => {}
        None => {
            declared.insert(name, new);
        }
    }
}

impl fmt::Debug for Types {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.declared.keys()).finish()
    }
}

/// The events that go one way. The macros fill it.
#[doc(hidden)]
#[derive(Debug)]
pub struct Described {
    pub(super) direction: Direction,
    pub(super) events: Vec<Event>,
    pub(super) types: Types,
}

/// One event, as a client writes it.
#[derive(Debug)]
pub(super) struct Event {
    pub(super) name: &'static str,
    pub(super) docs: &'static [&'static str],
    pub(super) names: &'static [&'static str],
    pub(super) args: Option<Shape>,
    pub(super) ack: Option<Shape>,
}

impl Described {
    pub(super) fn new(direction: Direction) -> Self {
        Self {
            direction,
            events: Vec::new(),
            types: Types::new(direction),
        }
    }

    /// Adds an event; `names` are those of its arguments, if they have any.
    pub fn event(
        &mut self,
        name: &'static str,
        docs: &'static [&'static str],
        names: &'static [&'static str],
    ) -> EventTypes<'_> {
        let Self { events, types, .. } = self;
        types.event = name;
        let index = events.len();
        events.push(Event {
            name,
            docs,
            names,
            args: None,
            ack: None,
        });
        let event = &mut events[index];
        EventTypes {
            event,
            types,
            is_told: false,
        }
    }
}

/// An event that is being described.
#[doc(hidden)]
#[derive(Debug)]
pub struct EventTypes<'a> {
    event: &'a mut Event,
    types: &'a mut Types,
    /// Its arguments are those that an attribute says, whatever the method reads.
    is_told: bool,
}

impl EventTypes<'_> {
    /// These are its arguments, as an attribute says.
    pub fn args<T: Arguments>(&mut self) {
        self.event.args = Some(T::shape(self.types));
        self.is_told = true;
    }

    /// Its method reads these.
    pub(super) fn reads<T: Arguments>(&mut self) {
        if self.is_told {
            return;
        }
        let shape = T::shape(self.types);
        match &self.event.args {
            Some(known) if !known.is_open && !shape.is_open => self.types.problems.push(format!(
                "the event {:?} reads its arguments twice: take them by one `Data<Args<(…)>>`",
                self.event.name
            )),
            // What is typed says more.
            Some(_) if shape.is_open => {}
            _ => self.event.args = Some(shape),
        }
    }

    /// This is one more of its arguments.
    pub fn argument<T: TS + 'static + ?Sized>(&mut self) {
        let ty = self.types.name_of::<T>();
        self.event.args.get_or_insert_default().places.push(ty);
    }

    /// Its argument is an object with these fields.
    pub fn object(&mut self, fields: &[(&str, FieldType)]) {
        let fields = fields.iter().map(|(name, ty)| format!("{name}: {}", ty(self.types)));
        let object = format!("{{ {} }}", fields.collect::<Vec<_>>().join(", "));
        self.event.args.get_or_insert_default().places.push(object);
    }

    /// It is answered by this.
    pub fn ack<T: Arguments>(&mut self) {
        self.event.ack = Some(self.answer(T::shape));
    }

    /// It is answered by what its method returns.
    pub fn returns<T: Answer>(&mut self) {
        self.event.ack = self.answer(T::shape);
    }

    /// It may be answered by anything, if nothing else is said.
    pub(super) fn may_answer(&mut self) {
        self.event.ack.get_or_insert(Shape {
            places: Vec::new(),
            is_open: true,
        });
    }

    /// Answers go the other way.
    fn answer<R>(&mut self, shape: impl FnOnce(&mut Types) -> R) -> R {
        let event = self.types.direction;
        self.types.direction = match event {
            Direction::ToServer => Direction::ToClient,
            Direction::ToClient => Direction::ToServer,
        };
        let shape = shape(self.types);
        self.types.direction = event;
        shape
    }
}
