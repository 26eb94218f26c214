//! Writing values as vim25 XML.

use super::schema::{Field, Kind, schema};
use super::value::{Data, Value};
use super::{ENVELOPE, Fault, INSTANCE, VIM, XSD};

/// The answer to a call that succeeded.
pub(in crate::sim::vcenter) fn answer(method: &str, returns: &Field, value: Option<&Value>) -> String {
    let mut out = head();
    out.push_str(&format!("<{method}Response xmlns=\"{VIM}\">"));
    match value {
        Some(Value::List(items)) if returns.array => {
            items.iter().for_each(|item| element(&mut out, "returnval", returns.ty, item));
        }
        Some(value) => element(&mut out, "returnval", returns.ty, value),
        None => {}
    }
    out.push_str(&format!("</{method}Response>"));
    tail(out)
}

/// The answer to a call that failed.
pub(in crate::sim::vcenter) fn fault_answer(fault: &Fault) -> String {
    let mut out = head();
    out.push_str("<soapenv:Fault><faultcode>ServerFaultCode</faultcode><faultstring>");
    escape(&mut out, &fault.message);
    let ty = fault.ty();
    out.push_str(&format!("</faultstring><detail><{ty}Fault xmlns=\"{VIM}\" xsi:type=\"{ty}\">"));
    fields(&mut out, &fault.data);
    out.push_str(&format!("</{ty}Fault></detail></soapenv:Fault>"));
    tail(out)
}

fn head() -> String {
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<soapenv:Envelope xmlns:soapenv=\"{ENVELOPE}\" \
         xmlns:xsd=\"{XSD}\" xmlns:xsi=\"{INSTANCE}\">\n<soapenv:Body>\n"
    )
}

fn tail(mut out: String) -> String {
    out.push_str("\n</soapenv:Body>\n</soapenv:Envelope>");
    out
}

/// One value as an element, as it stands in a field of this type.
#[cfg(test)]
fn write_value(out: &mut String, name: &str, ty: &str, value: &Value) {
    element(out, name, ty, value);
}

fn element(out: &mut String, name: &str, declared: &str, value: &Value) {
    if declared == "anyType" {
        return any(out, name, value);
    }
    out.push('<');
    out.push_str(name);
    match value {
        Value::Ref(moref) => out.push_str(&format!(" type=\"{}\"", moref.kind)),
        Value::Data(data) if data.ty != declared => out.push_str(&format!(" xsi:type=\"{}\"", data.ty)),
        _ => {}
    }
    body(out, name, value);
}

/// A field that takes any type says which one it holds.
fn any(out: &mut String, name: &str, value: &Value) {
    let (ty, value) = match value {
        Value::Typed(ty, value) => (*ty, &**value),
        Value::Data(data) => (data.ty, value),
        Value::Ref(_) => ("ManagedObject", value),
        Value::Bool(_) => ("boolean", value),
        Value::Int(_) => ("int", value),
        Value::Time(_) => ("dateTime", value),
        Value::Text(_) => ("string", value),
        Value::List(_) => ("anyType", value),
    };
    let of_list = || matches!(value, Value::List(_)).then_some(ty);
    if let Some(item) = ty.strip_suffix("[]").or_else(of_list) {
        let item_name = if schema().is_managed(item) { "ManagedObjectReference" } else { item };
        out.push_str(&format!("<{name} xsi:type=\"ArrayOf{}\">", capital(item_name)));
        for value in value.list() {
            match value {
                Value::Data(data) => {
                    out.push_str(&format!("<{item_name} xsi:type=\"{}\"", data.ty));
                    body(out, item_name, value);
                }
                Value::Ref(moref) => {
                    out.push_str(&format!(
                        "<{item_name} type=\"{}\" xsi:type=\"ManagedObjectReference\"",
                        moref.kind
                    ));
                    body(out, item_name, value);
                }
                _ => element(out, item_name, item, value),
            }
        }
        out.push_str(&format!("</{name}>"));
        return;
    }
    out.push('<');
    out.push_str(name);
    match value {
        Value::Ref(moref) => {
            out.push_str(&format!(" type=\"{}\" xsi:type=\"ManagedObjectReference\"", moref.kind));
        }
        Value::Data(data) => out.push_str(&format!(" xsi:type=\"{}\"", data.ty)),
        _ if schema().get(ty).is_some_and(|ty| ty.kind == Kind::Enum) => {
            out.push_str(&format!(" xsi:type=\"{ty}\""));
        }
        _ => out.push_str(&format!(" xsi:type=\"xsd:{ty}\"")),
    }
    body(out, name, value);
}

/// What follows the attributes of an opening tag.
fn body(out: &mut String, name: &str, value: &Value) {
    out.push('>');
    match value {
        Value::Bool(flag) => out.push_str(if *flag { "true" } else { "false" }),
        Value::Int(number) => out.push_str(&number.to_string()),
        Value::Text(text) => escape(out, text),
        Value::Time(time) => out.push_str(&time.strftime("%Y-%m-%dT%H:%M:%S%.6fZ").to_string()),
        Value::Ref(moref) => escape(out, &moref.id),
        Value::Data(data) => fields(out, data),
        Value::List(list) => list.iter().for_each(|value| any(out, "anyType", value)),
        Value::Typed(_, value) => {
            // A field that has a type of its own does not need to be told.
            body(out, name, value);
            return;
        }
    }
    out.push_str("</");
    out.push_str(name);
    out.push('>');
}

fn fields(out: &mut String, data: &Data) {
    let Some(ty) = schema().get(data.ty) else { return };
    for field in ty.fields.iter().filter(|field| !field.is_opaque()) {
        match data.get(field.name) {
            None => {}
            Some(Value::List(list)) if field.array => {
                list.iter().for_each(|value| element(out, field.name, field.ty, value));
            }
            Some(value) => element(out, field.name, field.ty, value),
        }
    }
}

/// `string` in `ArrayOfString`.
fn capital(name: &str) -> String {
    let mut letters = name.chars();
    letters.next().map(|first| first.to_ascii_uppercase()).into_iter().chain(letters).collect()
}

/// Characters that XML cannot hold at all are left out, as a vCenter does.
fn escape(out: &mut String, text: &str) {
    for letter in text.chars() {
        match letter {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&apos;"),
            '\r' => out.push_str("&#13;"),
            '\u{fffe}' | '\u{ffff}' => {}
            letter if (letter as u32) < 32 && !matches!(letter, '\n' | '\t') => {}
            letter => out.push(letter),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::value::{Moref, data};
    use super::*;

    fn written(ty: &str, value: &Value) -> String {
        let mut out = String::new();
        write_value(&mut out, "val", ty, value);
        out
    }

    #[test]
    fn a_field_of_any_type_says_which_type_it_holds() {
        let vm = Value::from(Moref::new("VirtualMachine", "vm-1"));
        assert_eq!(
            written("anyType", &vm),
            "<val type=\"VirtualMachine\" xsi:type=\"ManagedObjectReference\">vm-1</val>"
        );
        assert_eq!(
            written("anyType", &Value::typed("VirtualMachine[]", vec![vm])),
            "<val xsi:type=\"ArrayOfManagedObjectReference\"><ManagedObjectReference type=\"VirtualMachine\" \
             xsi:type=\"ManagedObjectReference\">vm-1</ManagedObjectReference></val>"
        );
        assert_eq!(
            written("anyType", &Value::typed("VirtualMachinePowerState", "poweredOn")),
            "<val xsi:type=\"VirtualMachinePowerState\">poweredOn</val>"
        );
        assert_eq!(written("anyType", &Value::typed("long", 5)), "<val xsi:type=\"xsd:long\">5</val>");
        assert_eq!(
            written("anyType", &Value::typed("string[]", vec!["a&<b".to_owned()])),
            "<val xsi:type=\"ArrayOfString\"><string>a&amp;&lt;b</string></val>"
        );
    }

    #[test]
    fn fields_stand_in_the_order_of_the_wire_and_say_their_type_where_it_is_not_the_declared_one() {
        let spec = data("VirtualDeviceConfigSpec")
            .with("device", data("VirtualDisk").with("capacityInKB", 8).with("key", 2000))
            .with("operation", "add");
        assert_eq!(
            written("VirtualDeviceConfigSpec", &spec.into()),
            "<val><operation>add</operation><device xsi:type=\"VirtualDisk\"><key>2000</key>\
             <capacityInKB>8</capacityInKB></device></val>"
        );
    }

    #[test]
    fn what_xml_cannot_hold_is_left_out() {
        assert_eq!(written("string", &"a\u{0}\u{b}\n\"b".into()), "<val>a\n&quot;b</val>");
    }
}
