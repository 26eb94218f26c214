//! A way for tests to give the reader whatever they like: an answer without a server.

use super::client::Client;
use super::fault::Fault;
use super::inventory::{Item, assemble, read, read_entered};
use super::property::{Change, ObjectContent, ObjectUpdate};
use super::xml::{Limits, StreamAt, parse};

/// Reads bytes as each sort of answer, through everything that looks at answers. Returns how much it understood.
pub fn read_answer(bytes: &[u8]) -> usize {
    let mut items: Vec<Item> = Vec::new();
    let mut understood = 0;
    let objects = StreamAt { depth: 5, name: "objects" };
    let _ = parse(bytes, Limits::USUAL, Some(objects), |node| {
        items.extend(ObjectContent::read(node).and_then(read))
    });
    let updates = StreamAt { depth: 6, name: "objectSet" };
    let _ = parse(bytes, Limits::USUAL, Some(updates), |node| {
        if let Some(update) = ObjectUpdate::read(node) {
            understood += 1;
            if update.change == Change::Entered {
                items.extend(read_entered(update));
            }
        }
    });
    if let Ok(root) = parse(bytes, Limits::USUAL, None, |_| ())
        && let Some(body) = root.child("Body")
    {
        if let Some(fault) = body.child("Fault") {
            let fault = Fault::soap(fault);
            understood += fault.to_string().len() + fault.advice().len();
        }
        for answer in body.children() {
            understood += answer.child("returnval").map_or(0, |value| Client::read_listing(value).len());
        }
    }
    understood + assemble(items).len()
}
