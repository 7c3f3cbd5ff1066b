//! Values in and out of SQL, the same for both engines.

use crate::StoreError;

/// A parameter or a column.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// NULL
    Null,
    /// BIGINT
    Int(i64),
    /// TEXT
    Text(String),
    /// BLOB
    Blob(Vec<u8>),
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}
impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}
impl From<&String> for Value {
    fn from(text: &String) -> Self {
        Self::Text(text.clone())
    }
}
impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::Int(number)
    }
}
impl From<Vec<u8>> for Value {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Blob(bytes)
    }
}
impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

/// PostgreSQL has no way to store the character NUL in a text; so that both engines agree, SQLite is not asked to.
pub(crate) fn check_storable(params: &[Value]) -> Result<(), StoreError> {
    let bad = params.iter().any(|value| matches!(value, Value::Text(text) if text.contains('\0')));
    if bad { Err(StoreError::Unstorable("a text with the character NUL (U+0000)")) } else { Ok(()) }
}

/// Builds a parameter list: `params![a, b]`.
#[macro_export]
macro_rules! params {
    ($($value:expr),* $(,)?) => { &[$($crate::Value::from($value)),*][..] };
}

/// One row of an answer.
#[derive(Debug, Clone)]
pub struct Row(pub(crate) Vec<Value>);

impl Row {
    fn wrong<T>(index: usize) -> Result<T, StoreError> {
        Err(StoreError::Corrupt(format!("column {index} has an unexpected type")))
    }
    /// A number.
    pub fn int(&self, index: usize) -> Result<i64, StoreError> {
        match self.0.get(index) {
            Some(Value::Int(n)) => Ok(*n),
            _ => Self::wrong(index),
        }
    }
    /// A text.
    pub fn text(&self, index: usize) -> Result<&str, StoreError> {
        match self.0.get(index) {
            Some(Value::Text(t)) => Ok(t),
            _ => Self::wrong(index),
        }
    }
    /// A text or NULL.
    pub fn opt_text(&self, index: usize) -> Result<Option<&str>, StoreError> {
        match self.0.get(index) {
            Some(Value::Text(t)) => Ok(Some(t)),
            Some(Value::Null) => Ok(None),
            _ => Self::wrong(index),
        }
    }
    /// A number or NULL.
    pub fn opt_int(&self, index: usize) -> Result<Option<i64>, StoreError> {
        match self.0.get(index) {
            Some(Value::Int(n)) => Ok(Some(*n)),
            Some(Value::Null) => Ok(None),
            _ => Self::wrong(index),
        }
    }
    /// Bytes.
    pub fn blob(&self, index: usize) -> Result<&[u8], StoreError> {
        match self.0.get(index) {
            Some(Value::Blob(b)) => Ok(b),
            _ => Self::wrong(index),
        }
    }
}
