//! Following changes: a filter, and a call that waits until something has changed.

use std::time::Duration;

use super::retrieve::named_value;
use super::spec::{PropertySet, Scope, write_filter};
use crate::domain::moref::ManagedRef;
use crate::vsphere::Client;
use crate::vsphere::error::VsphereError;
use crate::vsphere::request::Request;
use crate::vsphere::xml::{Node, StreamAt};

/// Objects per answer; more come with the next call.
const MOST: i32 = 500;
/// `Envelope/Body/…Response/returnval/filterSet/objectSet`.
const OBJECTS: StreamAt = StreamAt { depth: 6, name: "objectSet" };

/// What happened to an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// It came into view: all its properties are given.
    Entered,
    /// Some of its properties changed: those are given.
    Modified,
    /// It left the view.
    Left,
}

/// An object that changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectUpdate {
    /// Which.
    pub object: ManagedRef,
    /// How.
    pub change: Change,
    /// Path and new value; `None` for one that is unset now.
    pub properties: Vec<(String, Option<Node>)>,
}

impl ObjectUpdate {
    /// The new value of a property; `None` if it did not change or is unset now.
    pub fn get(&self, path: &str) -> Option<&Node> {
        self.properties.iter().rev().find(|(name, _)| name == path).and_then(|(_, value)| value.as_ref())
    }

    pub(in crate::vsphere) fn read(mut node: Node) -> Option<Self> {
        let object = node.reference_at("obj")?;
        let change = match node.text_at("kind")? {
            "enter" => Change::Entered,
            "leave" => Change::Left,
            _ => Change::Modified,
        };
        let properties = node.take("changeSet").into_iter().filter_map(|set| {
            let name = set.string_at("name")?;
            let gone = matches!(set.text_at("op"), Some("remove" | "indirectRemove"));
            Some((name, if gone { None } else { named_value(set).map(|(_, value)| value) }))
        });
        Some(Self { object, change, properties: properties.collect() })
    }
}

/// What one call brought.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Updates {
    /// What changed, in the server's order.
    pub objects: Vec<ObjectUpdate>,
    /// More is there already: ask again at once.
    pub truncated: bool,
}

/// A filter on a collector of its own, so that streams do not see each other's changes.
#[derive(Debug)]
pub struct UpdateStream {
    client: Client,
    collector: ManagedRef,
    version: String,
}

impl UpdateStream {
    /// Opens a stream. Its first updates are everything as it stands.
    ///
    /// # Errors
    /// If the server does not take the filter.
    pub async fn open(client: &Client, sets: &[PropertySet], scope: &Scope) -> Result<Self, VsphereError> {
        let main = client.content().property_collector.clone();
        let what = "follow changes";
        let create = Request::new("CreatePropertyCollector", main, what, |_| ());
        let collector = client.call_for_reference(&create).await?;
        let filter = Request::new("CreateFilter", collector.clone(), what, |xml| {
            write_filter(xml, "spec", sets, scope);
            xml.flag("partialUpdates", false);
        });
        let stream = Self { client: client.clone(), collector, version: String::new() };
        match client.call_for_reference(&filter).await {
            Ok(_filter) => Ok(stream),
            Err(error) => {
                stream.close().await;
                Err(error)
            }
        }
    }

    /// Waits for changes, at most so long. Nothing changed: no objects.
    ///
    /// # Errors
    /// If the server does not answer, or the stream is gone because the session was: open another one.
    pub async fn next(&mut self, wait: Duration) -> Result<Updates, VsphereError> {
        let seconds = i32::try_from(wait.as_secs()).unwrap_or(i32::MAX);
        let request = Request::new("WaitForUpdatesEx", self.collector.clone(), "follow changes", |xml| {
            xml.text("version", &self.version);
            xml.element("options", |xml| {
                xml.number("maxWaitSeconds", seconds).number("maxObjectUpdates", MOST);
            });
        })
        .within(wait + Duration::from_secs(90));
        let (answer, objects) = self.client.call_streaming(&request, OBJECTS, || ObjectUpdate::read).await?;
        let Some(set) = answer.child("returnval") else { return Ok(Updates::default()) };
        if let Some(version) = set.string_at("version") {
            self.version = version;
        }
        Ok(Updates { objects, truncated: set.flag_at("truncated") == Some(true) })
    }

    /// Gives the collector back to the server.
    pub async fn close(self) {
        let request =
            Request::new("DestroyPropertyCollector", self.collector, "stop following changes", |_| ());
        // It ends with the session anyway.
        let _ = self.client.call(&request).await;
    }
}
