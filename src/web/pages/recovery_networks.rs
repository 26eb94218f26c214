//! Where network cards go in a test or a failover: a field for each network at the source.

use std::collections::{BTreeMap, HashMap};

use crate::app::test_failovers::NamedNetworks;
use crate::web::cx::typed;
use crate::web::view::form::{Choice, Field};

/// Before the number of a network, in the name of its field, and of the field that says which one it is.
const TO: &str = "to-";
const FROM: &str = "from-";
/// The choice that leaves it to the recovery plan. No reference of vSphere is so.
const AS_PLANNED: &str = "as planned";

/// What was chosen; what is left to the recovery plan is not in it.
pub(super) fn chosen(form: &HashMap<String, String>) -> BTreeMap<String, String> {
    let mut networks = BTreeMap::new();
    for (name, from) in form {
        let Some(number) = name.strip_prefix(FROM) else { continue };
        let to = typed(form, &format!("{TO}{number}"));
        if to != AS_PLANNED {
            networks.insert(from.clone(), to.to_owned());
        }
    }
    networks
}

/// The fields, and the hidden ones that say which network each is about. `otherwise`: what holds where nothing is chosen.
pub(super) fn fields(
    (from, to): &(NamedNetworks, NamedNetworks),
    wanted: &BTreeMap<String, String>,
    otherwise: &str,
) -> (Vec<Field>, Vec<(String, String)>) {
    let (mut fields, mut hidden) = (Vec::new(), Vec::new());
    for (number, (key, name)) in from.iter().enumerate() {
        let mut choices = vec![Choice::new(AS_PLANNED, otherwise), Choice::new("", "None: disconnected")];
        choices.extend(to.iter().map(|(id, name)| Choice::new(id, name)));
        let value = wanted.get(key).map_or(AS_PLANNED, String::as_str).to_owned();
        fields.push(Field::select(format!("{TO}{number}"), name, choices).value(value).optional());
        hidden.push((format!("{FROM}{number}"), key.clone()));
    }
    (fields, hidden)
}
