//! Reading properties, page by page.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::spec::{PropertySet, Scope, write_filter};
use crate::domain::moref::ManagedRef;
use crate::vsphere::Client;
use crate::vsphere::error::VsphereError;
use crate::vsphere::request::Request;
use crate::vsphere::xml::{Node, StreamAt};

/// Objects per page. Bounds what both sides keep; a smaller page only costs round trips.
const PAGE: i32 = 500;
const METHOD: &str = "RetrievePropertiesEx";
const WHAT: &str = "read properties";
/// Where the objects of an answer are: `Envelope/Body/…Response/returnval/objects`.
const OBJECTS: StreamAt = StreamAt { depth: 5, name: "objects" };

/// An object and what was read of it. What it does not have, or may not be read, is not there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectContent {
    /// Which.
    pub object: ManagedRef,
    /// Path and value.
    pub properties: Vec<(String, Node)>,
    /// Paths that the server did not want to give.
    pub missing: Vec<String>,
}

impl ObjectContent {
    /// The value of a property.
    pub fn get(&self, path: &str) -> Option<&Node> {
        self.properties.iter().find(|(name, _)| name == path).map(|(_, value)| value)
    }

    /// Its text, if it has any.
    pub fn text(&self, path: &str) -> Option<&str> {
        self.get(path).map(Node::text).filter(|text| !text.is_empty())
    }

    pub(in crate::vsphere) fn read(mut node: Node) -> Option<Self> {
        let object = node.reference_at("obj")?;
        let missing = node.all("missingSet").filter_map(|missing| missing.string_at("path")).collect();
        let properties = node.take("propSet").into_iter().filter_map(named_value).collect();
        Some(Self { object, properties, missing })
    }
}

/// A `propSet` or `changeSet`: its name and value.
pub(super) fn named_value(mut node: Node) -> Option<(String, Node)> {
    let name = node.string_at("name")?;
    Some((name, node.take("val").pop()?))
}

impl Client {
    /// Reads these properties of these objects, and gives each object to what `taker` makes, as it arrives;
    /// what that returns is the result.
    ///
    /// # Errors
    /// If the server does not answer, or refuses. Pages that were already read are given up.
    pub async fn retrieve_with<T, F>(
        &self,
        sets: &[PropertySet],
        scope: &Scope,
        taker: impl Fn() -> F,
    ) -> Result<Vec<T>, VsphereError>
    where
        T: Send + 'static,
        F: FnMut(ObjectContent) -> Option<T> + Send + 'static,
    {
        let session = self.session();
        match self.all_pages(sets, scope, &taker).await? {
            Some(all) => Ok(all),
            None => {
                self.log_in_again(session).await?;
                let lacking =
                    || self.incomplete(&Request::new(METHOD, self.collector(), WHAT, |_| ()), "session");
                self.all_pages(sets, scope, &taker).await?.ok_or_else(lacking)
            }
        }
    }

    /// None: the session has expired, which the collector says in each object instead of refusing.
    async fn all_pages<T, F>(
        &self,
        sets: &[PropertySet],
        scope: &Scope,
        taker: &impl Fn() -> F,
    ) -> Result<Option<Vec<T>>, VsphereError>
    where
        T: Send + 'static,
        F: FnMut(ObjectContent) -> Option<T> + Send + 'static,
    {
        let collector = self.collector();
        let mut request = Request::new(METHOD, collector.clone(), WHAT, |xml| {
            write_filter(xml, "specSet", sets, scope);
            xml.element("options", |xml| {
                xml.number("maxObjects", PAGE);
            });
        });
        let mut all = Vec::new();
        let expired = Arc::<AtomicBool>::default();
        loop {
            let take = || {
                let (mut inner, expired) = (taker(), Arc::clone(&expired));
                move |node: Node| {
                    let lacking = |one: &Node| {
                        one.at("fault.fault").is_some_and(|fault| fault.kind() == "NotAuthenticated")
                    };
                    if node.all("missingSet").any(lacking) {
                        expired.store(true, Ordering::Release);
                    }
                    ObjectContent::read(node).and_then(&mut inner)
                }
            };
            let (answer, page) = self.call_streaming(&request, OBJECTS, take).await?;
            if expired.load(Ordering::Acquire) {
                return Ok(None);
            }
            all.extend(page);
            let Some(token) = answer.string_at("returnval.token") else { return Ok(Some(all)) };
            let what = "read the next page of properties";
            request = Request::new("ContinueRetrievePropertiesEx", collector.clone(), what, |xml| {
                xml.text("token", token);
            });
        }
    }

    fn collector(&self) -> ManagedRef {
        self.content().property_collector.clone()
    }

    /// The same, as they are.
    ///
    /// # Errors
    /// If the server does not answer, or refuses.
    pub async fn retrieve(
        &self,
        sets: &[PropertySet],
        scope: &Scope,
    ) -> Result<Vec<ObjectContent>, VsphereError> {
        self.retrieve_with(sets, scope, || Some).await
    }

    /// These properties of one object.
    ///
    /// # Errors
    /// If it is not there, or the server does not answer.
    pub async fn properties(
        &self,
        object: impl Into<ManagedRef>,
        kind: &'static str,
        paths: &[&'static str],
    ) -> Result<ObjectContent, VsphereError> {
        let object = object.into();
        let sets = [PropertySet { kind, paths: paths.to_vec() }];
        let found = self.retrieve(&sets, &Scope::Objects(vec![object.clone()])).await?.pop();
        Ok(found.unwrap_or(ObjectContent { object, properties: Vec::new(), missing: Vec::new() }))
    }
}
