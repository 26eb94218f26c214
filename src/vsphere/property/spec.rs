//! Which properties of which objects: the filter specification, written for reading and for following alike.

use crate::domain::moref::ManagedRef;
use crate::vsphere::Client;
use crate::vsphere::error::VsphereError;
use crate::vsphere::request::Request;
use crate::vsphere::xml::Xml;

/// Which properties of objects of one type. Leaves only: what is not asked for need not be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PropertySet {
    /// The objects' type in vSphere's words; subtypes are meant too.
    pub kind: &'static str,
    /// Paths such as `runtime.powerState`.
    pub paths: Vec<&'static str>,
}

/// Which objects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scope {
    /// These alone.
    Objects(Vec<ManagedRef>),
    /// All that a view shows.
    View(ManagedRef),
}

impl Scope {
    /// Everything of these types anywhere in the inventory: makes a view, which ends with the session.
    ///
    /// # Errors
    /// If the server does not make it.
    pub async fn everything(client: &Client, kinds: &[&str]) -> Result<Self, VsphereError> {
        let content = client.content();
        let (manager, root) = (content.view_manager.clone(), &content.root_folder);
        let request = Request::new("CreateContainerView", manager, "look at the inventory", |xml| {
            xml.reference("container", root);
            for kind in kinds {
                xml.text("type", kind);
            }
            xml.flag("recursive", true);
        });
        client.call_for_reference(&request).await.map(Self::View)
    }

    /// Gives the view back to the server.
    pub async fn close(self, client: &Client) {
        if let Self::View(view) = self {
            // It ends with the session anyway.
            let _ = client.call(&Request::new("DestroyView", view, "close a view", |_| ())).await;
        }
    }
}

/// Writes a `PropertyFilterSpec` under this name.
pub(super) fn write_filter(xml: &mut Xml, name: &str, sets: &[PropertySet], scope: &Scope) {
    xml.element(name, |xml| {
        for set in sets {
            xml.element("propSet", |xml| {
                xml.text("type", set.kind).flag("all", false);
                for path in &set.paths {
                    xml.text("pathSet", path);
                }
            });
        }
        match scope {
            Scope::Objects(objects) => {
                for object in objects {
                    xml.element("objectSet", |xml| {
                        xml.reference("obj", object.clone()).flag("skip", false);
                    });
                }
            }
            Scope::View(view) => {
                xml.element("objectSet", |xml| {
                    xml.reference("obj", view.clone()).flag("skip", true);
                    xml.typed("selectSet", "TraversalSpec", |xml| {
                        xml.text("name", "inView").text("type", &view.kind);
                        xml.text("path", "view").flag("skip", false);
                    });
                });
            }
        }
    });
}
