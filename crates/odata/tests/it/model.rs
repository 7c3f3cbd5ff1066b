//! A model with the names that OASIS' cases use.

use odata::edm::{EnumType, Model, Navigation, Operation, Primitive, Property, StructuredType, TypeRef};

const ENUMS: &[EnumType] = &[EnumType { namespace: "Sales", name: "Pattern", members: &[("Solid", 1), ("Yellow", 2), ("Striped", 32)] }];

const fn text(name: &'static str) -> Property {
    Property::new(name, TypeRef::STRING)
}
const fn number(name: &'static str) -> Property {
    Property::new(name, TypeRef::Primitive(Primitive::Double))
}
const fn integer(name: &'static str) -> Property {
    Property::new(name, TypeRef::INT32)
}
const fn part(name: &'static str, ty: &'static str) -> Property {
    Property::new(name, TypeRef::Complex(ty))
}
const fn structured(
    name: &'static str,
    base: Option<&'static str>,
    entity: bool,
    properties: &'static [Property],
    navigations: &'static [Navigation],
) -> StructuredType {
    StructuredType { namespace: "Model", name, entity, base, abstract_: false, open: false, properties, navigations }
}

const TYPES: &[StructuredType] = &[
    structured(
        "Everything",
        None,
        true,
        &[
            text("ID"),
            text("Name"),
            text("FirstName"),
            text("LastName"),
            text("CompanyName"),
            text("Street"),
            text("City"),
            text("Title"),
            text("ZipCode"),
            text("CountryCode"),
            number("Price"),
            number("Cost"),
            number("Revenue"),
            number("Amount"),
            integer("Rating"),
            integer("Age"),
            integer("Quantity"),
            integer("X"),
            Property::new("Size", TypeRef::BOOLEAN),
            Property::new("Completed", TypeRef::BOOLEAN),
            Property::new("BirthDate", TypeRef::DATE_TIME),
            Property::new("ReleaseDate", TypeRef::DATE_TIME),
            Property::new("LifeTime", TypeRef::DATE_TIME),
            Property::new("style", TypeRef::Enum("Sales.Pattern")),
            text("eyeColor"),
            text("EmailAddresses").list(),
            text("Names").list(),
            integer("Sizes").list(),
            part("Address", "Model.Address"),
            part("Addresses", "Model.Address").list(),
        ],
        &[
            Navigation::one("Product", "Model.Everything"),
            Navigation::one("Supplier", "Model.Everything"),
            Navigation::one("Category", "Model.Everything"),
            Navigation::one("Customer", "Model.Everything"),
            Navigation::one("Manager", "Model.Everything"),
            Navigation::many("Products", "Model.Everything"),
            Navigation::many("Items", "Model.Everything"),
            Navigation::many("Sales", "Model.Everything"),
            Navigation::many("Orders", "Model.Everything"),
            Navigation::many("DirectReports", "Model.Everything"),
        ],
    ),
    structured("Customer", Some("Model.Everything"), true, &[], &[]),
    structured("VipCustomer", Some("Model.Customer"), true, &[text("AccountRepresentative")], &[]),
    structured("PreferredSupplier", Some("Model.Everything"), true, &[], &[]),
    StructuredType {
        namespace: "Namespace",
        ..structured("PreferredSupplier", Some("Model.Everything"), true, &[text("AccountRepresentative")], &[])
    },
    structured("Sized", None, true, &[number("Size")], &[]),
    structured("BestSellingProduct", Some("Model.Everything"), true, &[], &[]),
    StructuredType { namespace: "Sales", ..structured("Manager", Some("Model.Everything"), true, &[], &[]) },
    structured(
        "Address",
        None,
        false,
        &[text("Street"), text("City"), text("State"), text("ZipCode")],
        &[Navigation::one("Country", "Model.Everything")],
    ),
    structured("AddressWithLocation", Some("Model.Address"), false, &[text("Location")], &[]),
    StructuredType { namespace: "Namespace", ..structured("AddressWithLocation", Some("Model.Address"), false, &[text("Location")], &[]) },
];

const fn operation(
    namespace: &'static str,
    name: &'static str,
    action: bool,
    collection: bool,
    returns: Option<&'static str>,
) -> Operation {
    Operation {
        namespace,
        name,
        action,
        binding: "Model.Everything",
        binding_collection: collection,
        binding_nullable: false,
        parameters: &[("color", TypeRef::STRING, true)],
        returns,
        returns_nullable: true,
        composable: true,
    }
}

const OPERATIONS: &[Operation] = &[
    operation("Model", "MostExpensive", false, true, Some("Model.Everything")),
    operation("Model", "AllOrders", false, true, Some("Model.Everything")),
    operation("Model", "ProductsByColor", false, false, Some("Model.Everything")),
    operation("Model", "MostPopularName", false, true, None),
    operation("Model", "MostPopularAddress", false, true, Some("Model.Address")),
    operation("Model", "Rejection", true, false, None),
];

pub(crate) static MODEL: Model = Model::new(
    &[ENUMS],
    &[TYPES],
    OPERATIONS,
    &[
        ("Categories", "Model.Everything"),
        ("Customers", "Model.Everything"),
        ("Employees", "Model.Everything"),
        ("LeaveRequests", "Model.Everything"),
        ("Orders", "Model.Everything"),
        ("OrderItems", "Model.Everything"),
        ("People", "Model.Everything"),
        ("Products", "Model.Everything"),
        ("Suppliers", "Model.Everything"),
    ],
    &[("SingletonEntity", "Model.Everything"), ("MainSupplier", "Model.Everything")],
);

pub(crate) fn everything() -> &'static StructuredType {
    MODEL.find_type("Model.Everything").unwrap()
}

/// Where the cases use names of [`everything`] as other types.
pub(crate) fn sized() -> &'static StructuredType {
    MODEL.find_type("Model.Sized").unwrap()
}
