//! Everything that the simulated vCenter shows is what the dictionary says it may be.

use super::company::build;
use super::options::Options;
use super::show::Sight;
use super::soap::{Data, Field, Kind, Value, schema};

fn fits(value: &Value, field: &Field, whose: &str) {
    if field.array && !matches!(value, Value::Typed(..)) {
        let Value::List(list) = value else { panic!("{whose}.{} is no list: {value:?}", field.name) };
        return list.iter().for_each(|value| one(value, field.ty, &format!("{whose}.{}", field.name)));
    }
    one(value, field.ty, &format!("{whose}.{}", field.name));
}

fn one(value: &Value, ty: &str, whose: &str) {
    match (value, ty) {
        (_, "anyType") => {}
        (Value::Typed(ty, value), _) => one(value, ty, whose),
        (Value::Bool(_), "boolean") | (Value::Time(_), "dateTime") => {}
        (Value::Int(_), "int" | "long" | "short" | "byte") => {}
        (Value::Text(_), "string" | "anyURI" | "base64Binary") => {}
        (Value::Text(word), ty) => {
            let ty = schema().get(ty).unwrap_or_else(|| panic!("{whose}: text in a {ty}"));
            assert!(
                ty.kind == Kind::Enum && ty.values.contains(&&**word),
                "{whose}: {word} is no {}",
                ty.name
            );
        }
        (Value::Ref(moref), ty) => assert!(schema().is_a(moref.kind, ty), "{whose}: {moref:?} is no {ty}"),
        (Value::Data(data), ty) => {
            assert!(schema().is_a(data.ty, ty), "{whose}: {} is no {ty}", data.ty);
            conforms(data, whose);
        }
        (value, ty) => panic!("{whose}: {value:?} in a {ty}"),
    }
}

fn conforms(data: &Data, whose: &str) {
    let ty = schema().get(data.ty).unwrap_or_else(|| panic!("{whose}: the type {} is not known", data.ty));
    for (name, value) in data.fields() {
        let field = ty.field(name).unwrap_or_else(|| panic!("{whose}: {} has no {name}", data.ty));
        assert!(!field.is_opaque(), "{whose}: {}.{name} is not simulated", data.ty);
        fits(value, field, &format!("{whose}/{}", data.ty));
    }
    for field in ty.fields.iter().filter(|field| !field.optional && !field.array && !field.is_opaque()) {
        assert!(data.get(field.name).is_some(), "{whose}: {}.{} is missing", data.ty, field.name);
    }
}

#[test]
fn every_property_of_every_object_is_as_the_dictionary_says() {
    let world = build(Options { vms: 14, ..Options::default() }).unwrap();
    let sight = Sight { world: &world, session: None };
    let mut shown = 0;
    for object in world.objects.values() {
        let ty = schema().get(object.moref.kind).unwrap();
        for field in ty.fields.iter().filter(|field| !field.is_opaque()) {
            let whose = format!("{}.{}", object.moref.kind, field.name);
            match sight.property(&object.moref, field.name).unwrap() {
                Some(value) => {
                    shown += 1;
                    fits(&value, field, &whose);
                }
                None => assert!(field.optional || field.array, "{whose} is missing"),
            }
        }
    }
    assert!(shown > 500, "{shown}");
}

#[test]
fn the_same_seed_makes_the_same_inventory() {
    let names = |seed| {
        let world = build(Options { vms: 30, seed, ..Options::default() }).unwrap();
        let mut all: Vec<_> = world
            .vms()
            .map(|(object, vm)| {
                (object.moref.clone(), object.name.clone(), vm.uuid.clone(), vm.instance_uuid.clone())
            })
            .collect();
        all.sort();
        all
    };
    assert_eq!(names(1), names(1));
    assert_ne!(names(1), names(2));
    let mut unique: Vec<_> = names(1).into_iter().map(|(_, name, ..)| name).collect();
    unique.dedup();
    assert_eq!(unique.len(), 33);
}
