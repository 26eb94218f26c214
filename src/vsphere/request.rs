//! One call of a method: what is sent, and the words for what it attempts. Building one does nothing.

use std::time::Duration;

use super::xml::Xml;
use crate::domain::moref::ManagedRef;

/// How long an answer may take, unless the call is one that waits.
const PATIENCE: Duration = Duration::from_secs(120);

/// A call that can be sent, and sent again.
#[derive(Debug, Clone)]
pub struct Request {
    pub(in crate::vsphere) method: &'static str,
    /// Completes "could not …".
    pub(in crate::vsphere) attempted: String,
    pub(in crate::vsphere) arguments: String,
    /// Its text must appear nowhere.
    pub(in crate::vsphere) secret: bool,
    pub(in crate::vsphere) patience: Duration,
}

impl Request {
    /// `method` of the object `this`, with the arguments that `write` adds in the order of the schema.
    /// `attempted` completes "could not …".
    pub fn new(
        method: &'static str,
        this: impl Into<ManagedRef>,
        attempted: impl Into<String>,
        write: impl FnOnce(&mut Xml),
    ) -> Self {
        let mut xml = Xml::new();
        xml.reference("_this", this);
        write(&mut xml);
        Self {
            method,
            attempted: attempted.into(),
            arguments: xml.into_string(),
            secret: false,
            patience: PATIENCE,
        }
    }

    /// The same call, of which nothing is written to the trace.
    #[must_use]
    pub(super) fn secret(mut self) -> Self {
        self.secret = true;
        self
    }

    /// The same call, which may take so long.
    #[must_use]
    pub(super) fn within(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// The method's name.
    pub fn method(&self) -> &'static str {
        self.method
    }

    /// The arguments as XML.
    pub fn arguments(&self) -> &str {
        &self.arguments
    }

    /// The whole SOAP envelope.
    pub(super) fn envelope(&self) -> String {
        let Self { method, arguments, .. } = self;
        format!(
            concat!(
                r#"<?xml version="1.0" encoding="UTF-8"?>"#,
                r#"<soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/""#,
                r#" xmlns:xsd="http://www.w3.org/2001/XMLSchema""#,
                r#" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"><soapenv:Body>"#,
                r#"<{method} xmlns="urn:vim25">{arguments}</{method}>"#,
                "</soapenv:Body></soapenv:Envelope>"
            ),
            method = method,
            arguments = arguments
        )
    }
}
