//! `/api/docs`: the API as a page, drawn from its own description, so that the two cannot differ.

use std::sync::Arc;

use askama::Template;
use axum::Extension;
use serde_json::Value;
use utoipa::openapi::OpenApi;

use crate::web::Answer;
use crate::web::cx::Cx;
use crate::web::view::Page;
use crate::web::view::navigation::Area;

/// The description as JSON, from which the page is drawn.
#[derive(Debug, Clone)]
pub(crate) struct Description(Arc<Value>);

impl Description {
    pub(crate) fn new(api: &OpenApi) -> Self {
        Self(Arc::new(serde_json::to_value(api).unwrap_or_default()))
    }
}

#[derive(Template)]
#[template(path = "api/docs.html")]
struct Docs {
    page: Page,
    about: String,
    operations: Vec<Operation>,
}

struct Operation {
    id: String,
    method: String,
    path: String,
    summary: String,
    paragraphs: Vec<String>,
    takes: Vec<Described>,
    answers: Vec<Described>,
}

struct Described {
    name: String,
    kind: String,
    about: String,
}

pub(crate) async fn page(cx: Cx, Extension(Description(api)): Extension<Description>) -> Answer {
    let page = cx.page("The API", Area::About);
    let about = text(&api["info"]["description"]);
    cx.draw(&Docs { page, about, operations: operations(&api) })
}

fn operations(api: &Value) -> Vec<Operation> {
    let mut all = Vec::new();
    let paths = api["paths"].as_object().into_iter().flatten();
    for (path, item) in paths {
        for (method, operation) in item.as_object().into_iter().flatten() {
            let description = text(&operation["description"]);
            all.push(Operation {
                id: text(&operation["operationId"]),
                method: method.to_uppercase(),
                path: path.clone(),
                summary: text(&operation["summary"]),
                paragraphs: description
                    .split("\n\n")
                    .map(str::to_owned)
                    .filter(|one| !one.is_empty())
                    .collect(),
                takes: takes(api, operation),
                answers: answers(operation),
            });
        }
    }
    all
}

fn takes(api: &Value, operation: &Value) -> Vec<Described> {
    let mut all: Vec<Described> = operation["parameters"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|parameter| Described {
            name: text(&parameter["name"]),
            kind: format!("in the {}", text(&parameter["in"])),
            about: text(&parameter["description"]),
        })
        .collect();
    let content = &operation["requestBody"]["content"];
    let body = content.as_object().and_then(|kinds| kinds.values().next()).map(|kind| &kind["schema"]);
    let body = body.map(|schema| resolve(api, schema)).unwrap_or(&Value::Null);
    let required: Vec<&str> =
        body["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    for (name, schema) in body["properties"].as_object().into_iter().flatten() {
        let needed = if required.contains(&name.as_str()) { "required" } else { "optional" };
        let about = text(&schema["description"]);
        all.push(Described { name: name.clone(), kind: format!("in the body, {needed}"), about });
    }
    all
}

fn answers(operation: &Value) -> Vec<Described> {
    let all = operation["responses"].as_object().into_iter().flatten();
    all.map(|(status, response)| {
        let kinds = response["content"].as_object().into_iter().flatten();
        let names = kinds.filter_map(|(_, kind)| kind["schema"]["$ref"].as_str()?.rsplit('/').next());
        Described {
            name: if status == "default" { "else".to_owned() } else { status.clone() },
            kind: names.collect::<Vec<_>>().join(", "),
            about: text(&response["description"]),
        }
    })
    .collect()
}

/// What a reference stands for; anything else stands for itself.
fn resolve<'a>(api: &'a Value, schema: &'a Value) -> &'a Value {
    match schema["$ref"].as_str().and_then(|reference| reference.strip_prefix('#')) {
        Some(pointer) => api.pointer(pointer).unwrap_or(&Value::Null),
        None => schema,
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
