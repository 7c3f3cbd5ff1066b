//! JSON schemas of bodies, from the model.
//!
//! Every type is written out with what it inherits. Where a value may be of several types, a schema
//! of its own says which, by `@odata.type`. A type is read, created and changed in three shapes:
//! only creation requires properties, and what the server sets is not in what is sent.

use super::words;
use industry_data::MODEL;
use odata::edm::{Navigation, OnCreate, OnUpdate, Primitive, Property, StructuredType, TypeRef};
use serde_json::{Map, Value, json};

/// What a body is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    /// An answer.
    Read,
    /// POST.
    Create,
    /// PATCH.
    Update,
}

impl Shape {
    fn suffix(self) -> &'static str {
        match self {
            Self::Read => "",
            Self::Create => "-create",
            Self::Update => "-update",
        }
    }
}

/// The schemas that have been asked for, with all that they refer to.
#[derive(Default)]
pub(super) struct Schemas {
    pub(super) out: Map<String, Value>,
}

/// A reference to a schema.
pub(super) fn reference(name: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{name}") })
}

impl Schemas {
    /// A value whose declared type is `ty`: a reference to the type, or to the choice of types.
    pub(super) fn value(&mut self, ty: &'static StructuredType, shape: Shape) -> Value {
        if MODEL.is_polymorphic(ty) { self.choice(ty, shape) } else { self.exact(ty, shape) }
    }

    /// Exactly that type.
    pub(super) fn exact(&mut self, ty: &'static StructuredType, shape: Shape) -> Value {
        let name = format!("{}{}", ty.qualified(), shape.suffix());
        if !self.out.contains_key(&name) {
            // Types refer to each other in circles: the name is taken before the content is made.
            self.out.insert(name.clone(), Value::Null);
            let schema = self.object(ty, shape);
            self.out.insert(name.clone(), schema);
        }
        reference(&name)
    }

    /// One of the types that a declared type stands for.
    fn choice(&mut self, ty: &'static StructuredType, shape: Shape) -> Value {
        // A type that has values of its own and derived ones needs two names.
        let own = if ty.abstract_ { "" } else { "-any" };
        let name = format!("{}{own}{}", ty.qualified(), shape.suffix());
        if !self.out.contains_key(&name) {
            self.out.insert(name.clone(), Value::Null);
            let (mut options, mut mapping) = (Vec::new(), Map::new());
            for concrete in MODEL.concrete(ty) {
                let option = self.exact(concrete, shape);
                mapping.insert(format!("#{}", concrete.qualified()), option.get("$ref").cloned().unwrap_or_default());
                options.push(option);
            }
            // A change may leave the type out, as the stored object has one.
            let keyword = if shape == Shape::Update { "anyOf" } else { "oneOf" };
            let mut schema = json!({
                "description": words::ty(ty.name),
                keyword: options,
                "discriminator": { "propertyName": "@odata.type", "mapping": mapping },
            });
            if shape != Shape::Update {
                schema["required"] = json!(["@odata.type"]);
            }
            self.out.insert(name.clone(), schema);
        }
        reference(&name)
    }

    fn object(&mut self, ty: &'static StructuredType, shape: Shape) -> Value {
        let (mut properties, mut required) = (Map::new(), Vec::new());
        // Requests may leave the `#` out.
        let named = format!("#{}", ty.qualified());
        let mut kind = match shape {
            Shape::Read => json!({ "type": "string", "const": named }),
            Shape::Create | Shape::Update => json!({ "type": "string", "enum": [named, ty.qualified()] }),
        };
        if shape == Shape::Update {
            kind["description"] = json!("May be left out: the stored object has a type.");
        }
        properties.insert("@odata.type".to_owned(), kind);
        if shape == Shape::Read && ty.entity {
            properties.insert("@odata.context".to_owned(), json!({ "type": "string" }));
            properties.insert("@odata.etag".to_owned(), json!({ "type": "string" }));
        }
        let mut lineage: Vec<_> = MODEL.lineage(ty).collect();
        lineage.reverse();
        for of in lineage {
            for property in of.properties {
                let sent = match shape {
                    Shape::Read => !property.write_only,
                    Shape::Create => property.create != OnCreate::Computed,
                    Shape::Update => property.update != OnUpdate::Computed,
                };
                if !sent {
                    continue;
                }
                properties.insert(property.name.to_owned(), self.property(of, property, shape));
                if shape == Shape::Create && property.create == OnCreate::Required {
                    required.push(property.name.to_owned());
                }
            }
            for navigation in of.navigations {
                self.navigation(of, navigation, shape, &mut properties, &mut required);
            }
        }
        let mut schema = json!({ "type": "object", "description": words::ty(ty.name), "properties": properties });
        if !required.is_empty() {
            schema["required"] = json!(required);
        }
        if shape != Shape::Read && !ty.open {
            // What a client sends back of what it has read is taken too: see the page of the API.
            schema["patternProperties"] = json!({ "^@odata\\.(context|etag|id|editLink|readLink)$": {} });
            schema["additionalProperties"] = json!(false);
        }
        schema
    }

    /// A property by itself, as it is answered when it is not null.
    pub(super) fn answered(&mut self, property: &'static Property) -> Value {
        let single = self.single(property, Shape::Read);
        if property.collection { json!({ "type": "array", "items": single }) } else { single }
    }

    fn property(&mut self, of: &StructuredType, property: &'static Property, shape: Shape) -> Value {
        // An item of a collection is new whenever the collection is sent.
        let inner = if property.collection && shape == Shape::Update { Shape::Create } else { shape };
        let single = self.single(property, inner);
        let mut schema = if property.collection { json!({ "type": "array", "items": single }) } else { single };
        if property.nullable && (!property.collection || shape != Shape::Read) {
            schema = nullable(schema);
        }
        let mut text = words::property(of.name, property.name).to_owned();
        if shape == Shape::Update && property.update == OnUpdate::Immutable {
            text.push_str(" Cannot be changed: only the stored value is taken.");
        }
        describe(schema, text.trim())
    }

    fn single(&mut self, property: &'static Property, shape: Shape) -> Value {
        match property.ty {
            TypeRef::Primitive(primitive) => {
                let mut schema = primitive_schema(primitive);
                if let Some(most) = property.max_length.filter(|_| shape != Shape::Read) {
                    schema["maxLength"] = json!(most);
                }
                if property.write_only {
                    schema["writeOnly"] = json!(true);
                }
                schema
            }
            TypeRef::Enum(name) => self.enumeration(name, shape),
            TypeRef::Complex(name) => MODEL.find_type(name).map_or_else(|| json!({}), |ty| self.value(ty, shape)),
        }
    }

    /// The sentinel stands for members to come: it may be answered, and cannot be sent.
    fn enumeration(&mut self, qualified: &str, shape: Shape) -> Value {
        let Some(ty) = MODEL.find_enum(qualified) else { return json!({}) };
        let suffix = if shape == Shape::Read { "" } else { "-sent" };
        let name = format!("{qualified}{suffix}");
        let members = ty.members.iter().map(|(word, _)| *word).filter(|word| shape == Shape::Read || *word != "unknownFutureValue");
        let schema = json!({ "type": "string", "description": words::ty(ty.name), "enum": members.collect::<Vec<_>>() });
        self.out.entry(name.clone()).or_insert(schema);
        reference(&name)
    }

    fn navigation(
        &mut self,
        of: &StructuredType,
        navigation: &'static Navigation,
        shape: Shape,
        properties: &mut Map<String, Value>,
        required: &mut Vec<String>,
    ) {
        let text = words::property(of.name, navigation.name);
        if shape == Shape::Read {
            let Some(target) = MODEL.find_type(navigation.target) else { return };
            let single = self.value(target, Shape::Read);
            let schema = if navigation.collection { json!({ "type": "array", "items": single }) } else { nullable(single) };
            properties.insert(navigation.name.to_owned(), describe(schema, format!("{text} There with `$expand`.").trim()));
        } else if !navigation.collection {
            let name = format!("{}@odata.bind", navigation.name);
            let text = format!("{text} URL, absolute or from the version on.");
            properties.insert(name.clone(), json!({ "type": "string", "description": text.trim() }));
            if shape == Shape::Create && navigation.required_on_create {
                required.push(name);
            }
        }
    }
}

fn primitive_schema(primitive: Primitive) -> Value {
    match primitive {
        Primitive::Boolean => json!({ "type": "boolean" }),
        Primitive::Int32 => json!({ "type": "integer", "format": "int32", "minimum": i32::MIN, "maximum": i32::MAX }),
        Primitive::Int64 => json!({ "type": "integer", "format": "int64" }),
        Primitive::Double => json!({ "type": "number", "format": "double" }),
        Primitive::String => json!({ "type": "string" }),
        Primitive::Guid => json!({ "type": "string", "format": "uuid" }),
        Primitive::Date => json!({ "type": "string", "format": "date" }),
        Primitive::DateTimeOffset => json!({ "type": "string", "format": "date-time" }),
    }
}

/// The same, or null.
fn nullable(mut schema: Value) -> Value {
    match schema.get("type").and_then(Value::as_str).map(str::to_owned) {
        Some(kind) => {
            schema["type"] = json!([kind, "null"]);
            schema
        }
        None => json!({ "anyOf": [schema, { "type": "null" }] }),
    }
}

/// JSON Schema 2020-12 lets a description stand beside a reference.
fn describe(mut schema: Value, text: &str) -> Value {
    if !text.is_empty() {
        schema["description"] = json!(text);
    }
    schema
}
