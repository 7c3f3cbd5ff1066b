//! decode(encode(x)) = x over values of every type that the EDM has, also those that no property of
//! the school model uses.

use odata::decode::{Mode, decode};
use odata::edm::{EnumType, Model, Primitive, Property, StructuredType, TypeRef};
use odata::encode::{EncodeOptions, Metadata, encode};
use odata::limits::Limits;
use proptest::prelude::*;
use serde_json::{Map, Value, json};

const PRIMITIVES: [Primitive; 8] = [
    Primitive::Boolean,
    Primitive::Int32,
    Primitive::Int64,
    Primitive::Double,
    Primitive::String,
    Primitive::Guid,
    Primitive::Date,
    Primitive::DateTimeOffset,
];
const WORDS: &[(&str, i32)] = &[("red", 0), ("green", 1), ("unknownFutureValue", 2), ("blue", 3)];
const ENUMS: &[EnumType] = &[EnumType { namespace: "t", name: "colour", members: WORDS }];

const fn of(name: &'static str, primitive: Primitive) -> Property {
    Property::new(name, TypeRef::Primitive(primitive))
}

/// Every type, as a value that may be null, as one that may not, and as a list.
const SCALARS: &[Property] = &[
    of("boolean", Primitive::Boolean),
    of("booleanSet", Primitive::Boolean).non_null(),
    of("booleans", Primitive::Boolean).list(),
    of("int32", Primitive::Int32),
    of("int32Set", Primitive::Int32).non_null(),
    of("int32s", Primitive::Int32).list(),
    of("int64", Primitive::Int64),
    of("int64Set", Primitive::Int64).non_null(),
    of("int64s", Primitive::Int64).list(),
    of("double", Primitive::Double),
    of("doubleSet", Primitive::Double).non_null(),
    of("doubles", Primitive::Double).list(),
    of("string", Primitive::String),
    of("stringSet", Primitive::String).non_null(),
    of("strings", Primitive::String).list(),
    of("guid", Primitive::Guid),
    of("guidSet", Primitive::Guid).non_null(),
    of("guids", Primitive::Guid).list(),
    of("date", Primitive::Date),
    of("dateSet", Primitive::Date).non_null(),
    of("dates", Primitive::Date).list(),
    of("time", Primitive::DateTimeOffset),
    of("timeSet", Primitive::DateTimeOffset).non_null(),
    of("times", Primitive::DateTimeOffset).list(),
    Property::new("colour", TypeRef::Enum("t.colour")),
    Property::new("colourSet", TypeRef::Enum("t.colour")).non_null(),
    Property::new("colours", TypeRef::Enum("t.colour")).list(),
];

const TYPES: &[StructuredType] = &[
    complex("part", None, true, SCALARS),
    complex(
        "nested",
        Some("t.part"),
        false,
        &[
            Property::new("inner", TypeRef::Complex("t.part")),
            Property::new("inners", TypeRef::Complex("t.part")).list(),
            Property::new("plain", TypeRef::Complex("t.plain")),
        ],
    ),
    complex("leaf", Some("t.part"), false, &[]),
    complex("plain", None, false, SCALARS),
];

const fn complex(name: &'static str, base: Option<&'static str>, abstract_: bool, properties: &'static [Property]) -> StructuredType {
    StructuredType { namespace: "t", name, entity: false, base, abstract_, open: false, properties, navigations: &[] }
}

static MODEL: Model = Model::new(&[ENUMS], &[TYPES], &[], &[], &[]);

fn ty(name: &str) -> &'static StructuredType {
    MODEL.find_type(&format!("t.{name}")).unwrap()
}

/// Canonical values of a type.
fn primitive(ty: Primitive) -> BoxedStrategy<Value> {
    match ty {
        Primitive::Boolean => any::<bool>().prop_map(Value::from).boxed(),
        Primitive::Int32 => any::<i32>().prop_map(Value::from).boxed(),
        Primitive::Int64 => prop_oneof![any::<i64>(), Just(i64::MIN), Just(i64::MAX)].prop_map(Value::from).boxed(),
        Primitive::Double => prop_oneof![any::<f64>().prop_filter("JSON has no such number", |n| n.is_finite()), Just(-0.0), Just(5e-324)]
            .prop_map(Value::from)
            .boxed(),
        Primitive::String => "[^\\x00]{0,12}".prop_map(Value::from).boxed(),
        Primitive::Guid => "[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}".prop_map(Value::from).boxed(),
        Primitive::Date => (1..=9999_i16, 1..=12_i8, 1..=28_i8).prop_map(|(y, m, d)| json!(format!("{y:04}-{m:02}-{d:02}"))).boxed(),
        Primitive::DateTimeOffset => (-62_135_596_800_i64..253_402_200_000, 0..10_000_000_i32)
            .prop_map(|(seconds, ticks)| json!(odata::time::format(jiff::Timestamp::new(seconds, ticks * 100).unwrap())))
            .boxed(),
    }
}

fn single(property: &'static Property, depth: u32) -> BoxedStrategy<Value> {
    match property.ty {
        TypeRef::Primitive(ty) => primitive(ty),
        TypeRef::Enum(_) => prop_oneof![Just(json!("red")), Just(json!("green")), Just(json!("blue"))].boxed(),
        TypeRef::Complex(name) => {
            let declared = MODEL.find_type(name).unwrap();
            let wanted = MODEL.concrete(declared).into_iter().filter(move |ty| depth > 0 || ty.name != "nested");
            proptest::strategy::Union::new(wanted.map(|ty| object(declared, ty, depth.saturating_sub(1)))).boxed()
        }
    }
}

/// A document with a value of every property.
fn object(declared: &'static StructuredType, ty: &'static StructuredType, depth: u32) -> BoxedStrategy<Value> {
    let values = MODEL.properties(ty).into_iter().map(|property| {
        let value = single(property, depth);
        let value = match (property.collection, property.nullable) {
            (true, _) => proptest::collection::vec(value, 0..3).prop_map(Value::from).boxed(),
            (false, true) => prop_oneof![1 => Just(Value::Null), 3 => value].boxed(),
            (false, false) => value,
        };
        value.prop_map(|value| (property.name.to_owned(), value))
    });
    let named = MODEL.is_polymorphic(declared).then(|| ("@odata.type".to_owned(), json!(format!("#{}", ty.qualified()))));
    let values: Vec<_> = values.collect();
    values.prop_map(move |values| Value::Object(named.clone().into_iter().chain(values).collect::<Map<_, _>>())).boxed()
}

#[test]
fn every_primitive_type_is_among_the_properties() {
    for primitive in PRIMITIVES {
        let shapes = SCALARS.iter().filter(|property| property.ty == TypeRef::Primitive(primitive));
        assert_eq!(shapes.count(), 3, "{}", primitive.name());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn what_is_encoded_is_decoded_the_same(before in object(ty("part"), ty("nested"), 2)) {
        let Value::Object(before) = before else { unreachable!("a document is an object") };
        for metadata in [Metadata::None, Metadata::Minimal, Metadata::Full] {
            let text = Value::Object(encode(&MODEL, ty("part"), &before, &EncodeOptions { select: &[], metadata })).to_string();
            let after = decode(&MODEL, ty("part"), text.as_bytes(), Mode::Create, &Limits::DEFAULT);
            prop_assert!(after.as_ref() == Ok(&before), "{:?} from {}", after.err(), text);
        }
    }
}
