//! A place on a PostgreSQL server for one test alone, gone when the test ends.

use std::io::Write as _;
use std::sync::atomic::{AtomicBool, Ordering};

/// The database to test in: one whose default collation is not `C` tests the most.
pub(crate) const URL_VARIABLE: &str = "HOMEROOM_TEST_POSTGRES_URL";

/// A schema of its own, which takes a tenth of the time of a database of its own.
pub(crate) struct TestDatabase {
    server: String,
    drop: String,
    pub(crate) url: String,
}

impl TestDatabase {
    /// A schema. `None`, said aloud once, when there is no server to test on.
    pub(crate) fn create() -> Option<Self> {
        Self::make(|name| {
            let words = [("options", format!("-c search_path={name}")), ("application_name", name.to_owned())];
            (format!("CREATE SCHEMA {name}"), format!("DROP SCHEMA {name} CASCADE"), words.to_vec())
        })
    }

    /// `words` gives the SQL that makes it, the SQL that drops it, and what in the URL leads to it.
    pub(crate) fn make(words: impl FnOnce(&str) -> (String, String, Vec<(&'static str, String)>)) -> Option<Self> {
        static SAID: AtomicBool = AtomicBool::new(false);
        let Ok(server) = std::env::var(URL_VARIABLE) else {
            if !SAID.swap(true, Ordering::Relaxed) {
                // Straight to the stream: what a passing test prints is swallowed.
                let line = format!("\nSKIPPED: all tests on PostgreSQL, for {URL_VARIABLE} is not set\n");
                let _ = std::io::stderr().write_all(line.as_bytes());
            }
            return None;
        };
        let (create, drop, settings) = words(&format!("homeroom_test_{}", uuid::Uuid::new_v4().simple()));
        on_server(&server, &create);
        let url = settings.into_iter().fold(server.clone(), |url, (key, value)| with_setting(&url, key, &value));
        Some(Self { server, drop, url })
    }
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        on_server(&self.server, &self.drop);
    }
}

/// On a thread of its own: the client cannot be used inside of an async test.
fn on_server(server: &str, sql: &str) {
    std::thread::scope(|scope| {
        let done = scope.spawn(|| postgres::Client::connect(server, postgres::NoTls).and_then(|mut client| client.batch_execute(sql)));
        done.join().expect("no panic").unwrap_or_else(|error| panic!("{sql}: {error}: {:?}", error.as_db_error()));
    });
}

/// A later setting outdoes an earlier one, in both forms of a URL.
fn with_setting(url: &str, key: &str, value: &str) -> String {
    if !url.contains("://") {
        return format!("{url} {key}='{value}'");
    }
    let mark = if url.contains('?') { '&' } else { '?' };
    format!("{url}{mark}{key}={}", value.replace(' ', "%20").replace('=', "%3D"))
}
