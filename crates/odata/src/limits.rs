//! Limits on what a client may send, each with its reason, checked while parsing.

/// The limits that apply to one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Nesting of a filter: the parser recurses, and the stack is finite.
    pub filter_depth: usize,
    /// Tokens of a filter: what it costs for each entity it is evaluated on.
    pub filter_tokens: usize,
    /// Conditions looked at for one page: a second or two of one core.
    pub filter_conditions: u64,
    /// Nesting of a JSON body; the deepest real one has five levels.
    pub json_depth: usize,
    /// Values of a JSON body: each costs many times its bytes, and the largest real one has some hundreds.
    pub json_values: usize,
    /// Levels of `$expand` (decision 6).
    pub expand_depth: usize,
    /// Items of `$select`, `$expand` and `$orderby`.
    pub list_items: usize,
    /// Bytes of a string value; every documented maximum is far below it.
    pub string_bytes: usize,
    /// Parts of a batch, as Graph limits them (concepts/json-batching.md).
    pub batch_parts: usize,
}

impl Limits {
    /// What a server uses.
    pub const DEFAULT: Self = Self {
        filter_depth: 64,
        filter_tokens: 2_048,
        filter_conditions: 20_000_000,
        json_depth: 32,
        json_values: 10_000,
        expand_depth: 2,
        list_items: 128,
        string_bytes: 64 * 1024,
        batch_parts: 20,
    };
}
