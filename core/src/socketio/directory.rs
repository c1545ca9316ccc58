//! Which namespaces there are: those that the application named, the parents of others, and their
//! children, each of which lives for as long as somebody holds it: a socket, be it one that is absent, or the application.
//!
//! The directory holds a child weakly, so that what clients ask for keeps nothing alive, and looks it up
//! and makes it under one lock, so that no path has two that live.

use std::{
    collections::HashMap,
    pin::Pin,
    sync::{Arc, PoisonError, RwLock, RwLockWriteGuard, Weak},
};

#[cfg(feature = "admin")]
use super::watch::Watcher;
use super::{
    MAX_NSP,
    dynamic::NamespaceRequest,
    namespace::{Namespace, Shared},
    pattern::Pattern,
    task::contain,
};
use crate::server::Core;

/// The namespaces of a server.
#[derive(Default)]
pub(crate) struct Directory {
    namespaces: RwLock<HashMap<Box<str>, Slot>>,
    /// In the order of registration: the first that matches has the child.
    parents: RwLock<Vec<Arc<Shared>>>,
    new_namespace: RwLock<Option<Arc<NewNamespaceHook>>>,
}

enum Slot {
    Named(Arc<Shared>),
    Child(Weak<Shared>),
}

/// What a namespace is to others.
pub(crate) enum Family {
    Alone,
    Parent(Rule),
    Child(Arc<Shared>),
}

/// Which paths are a parent's.
pub(crate) enum Rule {
    Pattern(Pattern),
    Matcher(Box<Matcher>),
}

pub(crate) type Matcher = dyn Fn(NamespaceRequest) -> Matching + Send + Sync;
pub(crate) type Matching = Pin<Box<dyn Future<Output = bool> + Send>>;
type NewNamespaceHook = dyn Fn(&Namespace) + Send + Sync;

/// Whether clients of every generation can ask for a namespace of that path.
pub(crate) fn is_path(path: &str) -> bool {
    path.starts_with('/') && path.len() <= MAX_NSP && !path.contains([',', '?'])
}

impl Slot {
    fn get(&self) -> Option<Arc<Shared>> {
        match self {
            Self::Named(namespace) => Some(namespace.clone()),
            Self::Child(namespace) => namespace.upgrade(),
        }
    }
}

impl Core {
    /// The namespace of that path, if it is there.
    pub(crate) fn namespace(&self, path: &str) -> Option<Arc<Shared>> {
        let namespaces = self.directory.namespaces.read();
        namespaces.unwrap_or_else(PoisonError::into_inner).get(path)?.get()
    }

    /// Lets go of all, which hold this.
    pub(crate) fn forget_namespaces(&self) {
        let parents = std::mem::take(&mut *self.directory.parents.write().unwrap_or_else(PoisonError::into_inner));
        let namespaces = std::mem::take(&mut *self.directory.lock());
        drop((parents, namespaces));
    }

    /// The namespace that the application names; a child where a pattern matches.
    pub(crate) fn named(self: &Arc<Self>, path: &str) -> Arc<Shared> {
        if let Some(there) = self.namespace(path) {
            return there;
        }
        let parents = self.parents();
        let parent = parents.iter().find(|parent| parent.parameters(path).is_some());
        self.get_or_make(path, parent)
    }

    /// The namespace of a path that this parent has.
    pub(crate) fn child(self: &Arc<Self>, parent: &Arc<Shared>, path: &str) -> Arc<Shared> {
        self.get_or_make(path, Some(parent))
    }

    fn get_or_make(self: &Arc<Self>, path: &str, parent: Option<&Arc<Shared>>) -> Arc<Shared> {
        let mut namespaces = self.directory.lock();
        // It may have come into being meanwhile.
        if let Some(there) = namespaces.get(path).and_then(Slot::get) {
            return there;
        }
        let family = parent.map_or(Family::Alone, |parent| Family::Child(parent.clone()));
        let namespace = Arc::new(Shared::new(path, self.clone(), family));
        if self.watch.is_taken() {
            namespace.be_watched();
        }
        let slot = match parent {
            Some(_) => Slot::Child(Arc::downgrade(&namespace)),
            None => Slot::Named(namespace.clone()),
        };
        namespaces.insert(path.into(), slot);
        drop(namespaces);
        self.announce(&namespace);
        namespace
    }

    /// Adds a parent; the one that has that pattern already, if there is one.
    pub(crate) fn parent(self: &Arc<Self>, path: &str, rule: Rule) -> Arc<Shared> {
        let mut parents = self.directory.parents.write().unwrap_or_else(PoisonError::into_inner);
        if let Rule::Pattern(pattern) = &rule
            && let Some(there) = parents.iter().find(|parent| parent.pattern() == Some(pattern))
        {
            return there.clone();
        }
        let parent = Arc::new(Shared::new(path, self.clone(), Family::Parent(rule)));
        if self.watch.is_taken() {
            parent.be_watched();
        }
        parents.push(parent.clone());
        parent
    }

    pub(crate) fn has_parents(&self) -> bool {
        let parents = self.directory.parents.read();
        !parents.unwrap_or_else(PoisonError::into_inner).is_empty()
    }

    /// In the order of registration.
    fn parents(&self) -> Vec<Arc<Shared>> {
        let parents = self.directory.parents.read();
        parents.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// All that clients can be in.
    pub(crate) fn all_namespaces(&self) -> Vec<Arc<Shared>> {
        let namespaces = self.directory.namespaces.read();
        let namespaces = namespaces.unwrap_or_else(PoisonError::into_inner);
        namespaces.values().filter_map(Slot::get).collect()
    }

    /// A parent's children that live, in no order.
    pub(crate) fn children(&self, parent: &Shared) -> Vec<Arc<Shared>> {
        let mut all = self.all_namespaces();
        // Without the lock: others may have let go of one, and its drop takes the lock.
        all.retain(|namespace| {
            namespace
                .parent()
                .is_some_and(|other| std::ptr::eq(&raw const **other, parent))
        });
        all
    }

    /// A child that nobody holds any more.
    pub(super) fn forget(&self, child: &Shared) {
        let mut namespaces = self.directory.lock();
        // There may be another of that path by now.
        if let Some(Slot::Child(slot)) = namespaces.get(&*child.path)
            && std::ptr::eq(slot.as_ptr(), child)
        {
            namespaces.remove(&*child.path);
            if namespaces.len() * 4 < namespaces.capacity() {
                let room = namespaces.len() * 2;
                namespaces.shrink_to(room);
            }
        }
    }

    /// Sets who is told of all that happens, unless there is one.
    #[cfg(feature = "admin")]
    pub(crate) fn be_watched(&self, watcher: Box<dyn Watcher>) {
        // Under both locks, so that a namespace which is made meanwhile is told of once.
        let parents = self.directory.parents.write().unwrap_or_else(PoisonError::into_inner);
        let namespaces = self.directory.lock();
        if !self.watch.take(watcher) {
            return;
        }
        let named = namespaces.values().filter_map(Slot::get);
        let there: Vec<_> = named.chain(parents.iter().cloned()).collect();
        drop(namespaces);
        drop(parents);
        for namespace in there {
            namespace.be_watched();
        }
    }

    pub(crate) fn set_new_namespace_hook(&self, hook: Arc<NewNamespaceHook>) {
        let slot = self.directory.new_namespace.write();
        let mut slot = slot.unwrap_or_else(PoisonError::into_inner);
        assert!(slot.is_none(), "the server has an `on_new_namespace` hook already");
        *slot = Some(hook);
    }

    fn announce(&self, namespace: &Arc<Shared>) {
        let hook = self.directory.new_namespace.read();
        let hook = hook.unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(hook) = hook
            && let Err(panic) = contain(|| hook(&Namespace::new(namespace.clone())))
        {
            tracing::error!("the on_new_namespace hook failed for {:?}: {panic}", namespace.path);
        }
    }
}

impl Directory {
    fn lock(&self) -> RwLockWriteGuard<'_, HashMap<Box<str>, Slot>> {
        // Nothing in here panics half-way through a change.
        self.namespaces.write().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Asks the parents in order, and makes the child of the first that takes the path.
pub(crate) async fn resolve(core: Arc<Core>, request: NamespaceRequest) -> Option<Arc<Shared>> {
    for parent in core.parents() {
        let is_its = match &parent.family {
            Family::Parent(Rule::Pattern(pattern)) => pattern.read(request.path()).is_some(),
            Family::Parent(Rule::Matcher(matcher)) => matcher(request.clone()).await,
            Family::Alone | Family::Child(_) => false,
        };
        if is_its {
            return Some(core.child(&parent, request.path()));
        }
    }
    None
}
