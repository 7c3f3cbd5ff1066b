//! The files of each format as the generator knows them: columns in the official order, and what makes a
//! value of each wrong.
//!
//! This is a second telling of the formats, apart from the validator's own tables on purpose: a mistake
//! there must not be repeated here, or nobody would find it.

use crate::format::Format;

impl Format {
    /// Whether there is a manifest, and files of changes only.
    pub(super) const fn is_one_roster(self) -> bool {
        matches!(self, Self::OneRoster11 | Self::OneRoster12)
    }

    pub(super) const fn tables(self) -> &'static [Table] {
        match self {
            Self::SdsV21 => super::sds_v21::TABLES,
            Self::SdsV1 => super::sds_v1::TABLES,
            Self::OneRoster11 => super::oneroster::TABLES_11,
            Self::OneRoster12 => super::oneroster::TABLES_12,
        }
    }
}

/// What a value of a column is, as far as it can be wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// The row's own id.
    Id,
    /// Text that any other text could stand for.
    Text,
    /// Never made wrong.
    Plain,
    /// The key of a row of that file.
    Ref(&'static str),
    /// Keys of rows of that file.
    Refs(&'static str),
    /// A code of a list.
    Code,
    /// Codes of a list.
    Codes,
    Email,
    Phone,
    /// `2026-08-24`
    Date,
    /// `8/24/2026`
    UsDate,
    Boolean,
    Year,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Column {
    pub(super) name: &'static str,
    pub(super) required: bool,
    pub(super) form: Form,
}

pub(super) const fn need(name: &'static str, form: Form) -> Column {
    Column { name, required: true, form }
}

pub(super) const fn may(name: &'static str, form: Form) -> Column {
    Column { name, required: false, form }
}

/// One file.
#[derive(Debug, Clone, Copy)]
pub(super) struct Table {
    pub(super) file: &'static str,
    pub(super) columns: &'static [Column],
    /// Columns of the key.
    pub(super) key: &'static [usize],
    /// Those of them that a finding shows.
    pub(super) shown_key: &'static [usize],
    /// Whether ids have a form of their own, which a tab breaks.
    pub(super) strict_ids: bool,
    /// A column of codes that must be as many as the subjects beside them.
    pub(super) subject_codes: Option<usize>,
    /// A column outside of the key: with another value in it a row contradicts the one that it repeats.
    pub(super) alter: Option<usize>,
    /// A column whose values belong to one row each.
    pub(super) unique: Option<usize>,
    /// Start and end of a span of time.
    pub(super) span: Option<(usize, usize)>,
    /// The column of a tree's parents.
    pub(super) parent: Option<usize>,
    /// A column whose person needs names and an address.
    pub(super) contact: Option<usize>,
    /// A column, and the value in it that only one row of a class or of a person may have.
    pub(super) primary: Option<(usize, &'static str)>,
    /// A column of days that must be in the session.
    pub(super) in_session: Option<usize>,
    /// A column with an organization in which the row's person must have a role.
    pub(super) primary_org: Option<usize>,
    /// A column that refers to a record of one type, and one of another type.
    pub(super) other_type: Option<(usize, &'static str)>,
    /// A column that says whether somebody is active.
    pub(super) enabled: Option<usize>,
    /// A column that says what has become of a record, blank in a whole set.
    pub(super) status: Option<usize>,
    /// A column in which all rows say the same of one record, which they describe beside their own.
    pub(super) derived: Option<usize>,
    /// Two columns that change places when the file is to have defects.
    pub(super) swapped: Option<(usize, usize)>,
    /// Whether rows are made that are no rows, and others that are told once a file: one of the large files is enough for each of these.
    pub(super) misshapen: bool,
    /// Whether the file is UTF-16 when it is to have defects.
    pub(super) utf16: bool,
    /// Whether the file gets a column that the format does not know when it is to have defects.
    pub(super) extra_column: bool,
}

impl Table {
    pub(super) const fn new(file: &'static str, columns: &'static [Column], key: &'static [usize]) -> Self {
        Self {
            file,
            columns,
            key,
            strict_ids: false,
            shown_key: key,
            subject_codes: None,
            alter: None,
            unique: None,
            span: None,
            parent: None,
            contact: None,
            primary: None,
            in_session: None,
            primary_org: None,
            other_type: None,
            enabled: None,
            status: None,
            derived: None,
            swapped: None,
            misshapen: false,
            utf16: false,
            extra_column: false,
        }
    }
}
