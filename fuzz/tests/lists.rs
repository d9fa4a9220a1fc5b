//! A list is no object, in any body: each is made whole by its published schema, and read again with each of its objects in turn as a list.

use kapell_fuzz::bodies;
use serde_json::{Map, Value, json};

/// How deep a body is filled.
const DEPTH: usize = 8;

/// Returns bodies of a schema with all their members, one for each form that it has.
fn whole(document: &Value, schema: &Value, depth: usize) -> Vec<Value> {
    if let Some(reference) = schema["$ref"].as_str() {
        let schema = document.pointer(reference.trim_start_matches('#')).expect("what a schema refers to");
        return whole(document, schema, depth);
    }
    for forms in ["oneOf", "anyOf"] {
        if let Some(forms) = schema[forms].as_array() {
            let forms = forms.iter().filter(|form| form["type"] != "null");
            return forms.flat_map(|form| whole(document, form, depth)).collect();
        }
    }
    if let Some(words) = schema["enum"].as_array() {
        return words.clone();
    }
    if depth == 0 {
        return vec![Value::Null];
    }
    let word = match &schema["type"] {
        Value::Array(words) => words.iter().find(|word| **word != "null").cloned().unwrap_or_default(),
        word => word.clone(),
    };
    match word.as_str() {
        Some("object") => {
            let fields = schema["properties"].as_object().into_iter().flatten();
            let mut forms: Vec<(String, Vec<Value>)> =
                fields.map(|(name, schema)| (name.clone(), whole(document, schema, depth - 1))).collect();
            if schema["additionalProperties"].is_object() {
                forms.push(("a".to_owned(), whole(document, &schema["additionalProperties"], depth - 1)));
            }
            let most = forms.iter().map(|(_, forms)| forms.len()).max().unwrap_or(1);
            let form = |index: usize| {
                let members =
                    forms.iter().map(|(name, forms)| (name.clone(), forms[index % forms.len()].clone()));
                Value::Object(members.collect::<Map<_, _>>())
            };
            (0..most).map(form).collect()
        }
        Some("array") => {
            whole(document, &schema["items"], depth - 1).into_iter().map(|item| json!([item])).collect()
        }
        Some("integer") => vec![json!(1)],
        Some("number") => vec![json!(0.5)],
        Some("boolean") => vec![json!(true)],
        _ => vec![json!("a")],
    }
}

/// Lists the pointers to all objects of a body.
fn objects(value: &Value, at: &str, found: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            found.push(at.to_owned());
            members.iter().for_each(|(name, value)| objects(value, &format!("{at}/{name}"), found));
        }
        Value::Array(items) => {
            items
                .iter()
                .enumerate()
                .for_each(|(index, value)| objects(value, &format!("{at}/{index}"), found));
        }
        _ => {}
    }
}

#[test]
fn a_list_is_no_object_in_any_body() {
    let document: Value = serde_json::from_str(&kapell_server::openapi()).expect("the document is JSON");
    let mut looked = 0;
    for (name, read) in bodies::TYPES {
        let schema = &document["components"]["schemas"][*name];
        assert!(schema.is_object(), "{name} has no schema");
        for body in whole(&document, schema, DEPTH) {
            let read = |body: &Value| read(body.to_string().as_bytes());
            assert!(read(&body).is_some(), "{name} is not read: {body}");
            let mut found = Vec::new();
            objects(&body, "", &mut found);
            for pointer in found {
                let fields = body.pointer(&pointer).and_then(Value::as_object).expect("an object");
                for list in [Vec::new(), fields.values().cloned().collect()] {
                    let mut changed = body.clone();
                    *changed.pointer_mut(&pointer).expect("an object") = Value::Array(list);
                    assert!(read(&changed).is_none(), "{name} takes a list at `{pointer}`: {changed}");
                    looked += 1;
                }
            }
        }
    }
    assert!(looked > 300, "{looked} lists were looked at");
}
