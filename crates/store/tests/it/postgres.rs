//! A PostgreSQL database for one test alone, gone when the test ends.

use std::io::Write as _;
use std::sync::atomic::{AtomicBool, Ordering};

/// The server to test on.
pub(crate) const URL_VARIABLE: &str = "HOMEROOM_TEST_POSTGRES_URL";

/// A database of its own.
pub(crate) struct TestDatabase {
    server: String,
    name: String,
    pub(crate) url: String,
}

impl TestDatabase {
    /// `None`, said aloud once, when there is no server to test on.
    pub(crate) fn create() -> Option<Self> {
        Self::create_with("")
    }

    /// With more words for `CREATE DATABASE`.
    pub(crate) fn create_with(options: &str) -> Option<Self> {
        static SAID: AtomicBool = AtomicBool::new(false);
        let Ok(server) = std::env::var(URL_VARIABLE) else {
            if !SAID.swap(true, Ordering::Relaxed) {
                // Straight to the stream: what a passing test prints is swallowed.
                let _ = writeln!(std::io::stderr(), "SKIPPED: all tests on PostgreSQL, for {URL_VARIABLE} is not set");
            }
            return None;
        };
        let name = format!("homeroom_test_{}", uuid::Uuid::new_v4().simple());
        on_server(&server, &format!("CREATE DATABASE {name} TEMPLATE template0 {options}"));
        let url = url_of(&server, &name);
        Some(Self { server, name, url })
    }
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        on_server(&self.server, &format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name));
    }
}

/// On a thread of its own: the client cannot be used inside of an async test.
fn on_server(server: &str, sql: &str) {
    std::thread::scope(|scope| {
        let done = scope.spawn(|| postgres::Client::connect(server, postgres::NoTls).and_then(|mut client| client.batch_execute(sql)));
        done.join().expect("no panic").unwrap_or_else(|error| panic!("{sql}: {error}: {:?}", error.as_db_error()));
    });
}

/// The same server, another database.
fn url_of(server: &str, database: &str) -> String {
    if !server.contains("://") {
        return format!("{server} dbname={database}");
    }
    let (base, query) = server.split_once('?').map_or((server, String::new()), |(base, query)| (base, format!("?{query}")));
    let host = base.find("://").map_or(0, |at| at + 3);
    let base = base[host..].find('/').map_or(base, |slash| &base[..host + slash]);
    format!("{base}/{database}{query}")
}
