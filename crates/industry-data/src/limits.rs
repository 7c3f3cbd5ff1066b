//! Limits of this API, in one place.

/// Longest `displayName` and `vendor`, in characters (by the resource pages of the public reference).
pub const DISPLAY_NAME_CHARACTERS: usize = 100;

/// Longest `displayName` of a directory object, in characters (Microsoft Graph).
pub const DIRECTORY_NAME_CHARACTERS: usize = 256;

/// Longest `mailNickname`, in characters (Microsoft Graph).
pub const MAIL_NICKNAME_CHARACTERS: usize = 64;

/// Longest code of a reference row that a tenant adds, in characters.
pub const CODE_CHARACTERS: usize = 100;
