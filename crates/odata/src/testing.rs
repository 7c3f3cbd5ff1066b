//! A little model for the tests of this crate.

use crate::edm::{EnumType, Model, Navigation, Operation, Property, StructuredType, TypeRef};

const ENUMS: &[EnumType] = &[EnumType { namespace: "t", name: "mood", members: &[("happy", 0), ("sad", 1), ("unknownFutureValue", 2)] }];

const fn entity(
    name: &'static str,
    base: Option<&'static str>,
    abstract_: bool,
    properties: &'static [Property],
    navigations: &'static [Navigation],
) -> StructuredType {
    StructuredType { namespace: "t", name, entity: true, base, abstract_, open: false, properties, navigations }
}

const TYPES: &[StructuredType] = &[
    entity(
        "animal",
        None,
        true,
        &[
            Property::new("id", TypeRef::STRING).non_null().computed(),
            Property::new("name", TypeRef::STRING).required().max(20),
            Property::new("mood", TypeRef::Enum("t.mood")),
            Property::new("home", TypeRef::Complex("t.house")),
            Property::new("tags", TypeRef::STRING).list(),
            Property::new("secret", TypeRef::STRING).secret(),
        ],
        &[Navigation::one("owner", "t.person")],
    ),
    entity("dog", Some("t.animal"), false, &[Property::new("breed", TypeRef::STRING).immutable()], &[]),
    entity("cat", Some("t.animal"), false, &[Property::new("lives", TypeRef::INT32)], &[]),
    entity(
        "person",
        None,
        false,
        &[
            Property::new("id", TypeRef::STRING).non_null().computed(),
            Property::new("born", TypeRef::DATE_TIME),
            Property::new("age", TypeRef::INT32),
        ],
        &[Navigation::many("pets", "t.animal").contained()],
    ),
    StructuredType {
        namespace: "t",
        name: "house",
        entity: false,
        base: None,
        abstract_: false,
        open: false,
        properties: &[
            Property::new("size", TypeRef::INT32),
            Property::new("colour", TypeRef::STRING),
            Property::new("home", TypeRef::Complex("t.house")),
        ],
        navigations: &[Navigation::one("guest", "t.animal").contained()],
    },
];

const OPERATIONS: &[Operation] = &[
    Operation {
        namespace: "t",
        name: "wake",
        action: true,
        binding: "t.animal",
        binding_collection: false,
        binding_nullable: false,
        parameters: &[],
        returns: None,
        returns_nullable: true,
        composable: false,
    },
    Operation {
        namespace: "t",
        name: "bark",
        action: false,
        binding: "t.dog",
        binding_collection: false,
        binding_nullable: false,
        parameters: &[("loud", TypeRef::BOOLEAN, true)],
        returns: Some("t.house"),
        returns_nullable: true,
        composable: false,
    },
    Operation {
        namespace: "t",
        name: "census",
        action: false,
        binding: "t.person",
        binding_collection: true,
        binding_nullable: false,
        parameters: &[],
        returns: Some("t.house"),
        returns_nullable: true,
        composable: true,
    },
];

pub(crate) static MODEL: Model = Model::new(&[ENUMS], &[TYPES], OPERATIONS, &[("people", "t.person")], &[("zoo", "t.person")]);

pub(crate) fn ty(name: &str) -> &'static StructuredType {
    MODEL.find_type(&format!("t.{name}")).unwrap()
}
