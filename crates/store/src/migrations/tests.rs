use super::{MIGRATIONS, migrate, migrate_with};
use crate::StoreError;
use crate::engine::{Connection, Role, Target};
use crate::test_postgres::TestDatabase;

/// Everything that the engine knows of the schema, in words.
fn schema(connection: &mut Connection) -> Vec<String> {
    match connection {
        Connection::Sqlite(sqlite) => {
            let mut statement =
                sqlite.prepare("SELECT type || ' ' || name || ': ' || coalesce(sql, '') FROM sqlite_schema ORDER BY 1").unwrap();
            statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
        }
        Connection::Postgres(postgres) => {
            let sql =
                "SELECT table_name || '.' || column_name || ': ' || data_type || ' ' || is_nullable || ' ' || coalesce(collation_name, '')
                         FROM information_schema.columns WHERE table_schema = current_schema()
                       UNION ALL SELECT replace(indexdef, current_schema(), '') FROM pg_indexes WHERE schemaname = current_schema()
                       UNION ALL SELECT conrelid::regclass || ': ' || pg_get_constraintdef(oid)
                         FROM pg_constraint WHERE connamespace = current_schema()::regnamespace
                       ORDER BY 1";
            postgres.client.query(sql, &[]).unwrap().iter().map(|row| row.get(0)).collect()
        }
    }
}

/// Two empty databases of the same engine.
fn check(mut fresh: Connection, mut stepwise: Connection) {
    migrate(&mut fresh).unwrap();
    for steps in 1..=MIGRATIONS.len() {
        migrate_with(&mut stepwise, &MIGRATIONS[..steps]).unwrap();
    }
    let wanted = schema(&mut fresh);
    assert!(wanted.len() > 20, "{wanted:?}");
    assert_eq!(schema(&mut stepwise), wanted, "a fresh schema is the one that was changed step by step");
    migrate(&mut fresh).unwrap();
    assert_eq!(schema(&mut fresh), wanted, "twice changes nothing");
    // A program that knows less than the database must keep its hands off.
    match migrate_with(&mut fresh, &MIGRATIONS[..MIGRATIONS.len() - 1]) {
        Err(StoreError::NewerSchema { found, known }) => assert_eq!((found, known + 1), (found, found)),
        other => panic!("{other:?}"),
    }
    assert_eq!(schema(&mut fresh), wanted);
}

#[test]
fn fresh_is_stepwise_on_sqlite() {
    let dir = tempfile::tempdir().unwrap();
    let open = |name: &str| Connection::open(&Target::Sqlite(dir.path().join(name)), Role::Writer).unwrap();
    check(open("fresh.db"), open("stepwise.db"));
}

#[test]
fn fresh_is_stepwise_on_postgres() {
    let (Some(fresh), Some(stepwise)) = (TestDatabase::create(), TestDatabase::create()) else { return };
    let open = |database: &TestDatabase| Connection::open(&Target::postgres(&database.url).unwrap(), Role::Writer).unwrap();
    check(open(&fresh), open(&stepwise));
}

/// Pages go by text columns: in the order of their bytes, whatever the database's language is.
#[test]
fn every_text_column_sorts_by_bytes_on_postgres() {
    let Some(database) = TestDatabase::create() else { return };
    let mut connection = Connection::open(&Target::postgres(&database.url).unwrap(), Role::Writer).unwrap();
    migrate(&mut connection).unwrap();
    let Connection::Postgres(postgres) = &mut connection else { panic!("not PostgreSQL") };
    let sql = "SELECT table_name || '.' || column_name FROM information_schema.columns
               WHERE table_schema = current_schema() AND table_name <> 'schema_migration' AND data_type = 'text' AND collation_name IS DISTINCT FROM 'C'";
    let others: Vec<String> = postgres.client.query(sql, &[]).unwrap().iter().map(|row| row.get(0)).collect();
    assert_eq!(others, Vec::<String>::new());
}

/// A step that fails leaves the steps before it, and the next start takes it up again.
#[test]
fn a_migration_that_fails_changes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let mut connection = Connection::open(&Target::Sqlite(dir.path().join("a.db")), Role::Writer).unwrap();
    migrate_with(&mut connection, &MIGRATIONS[..1]).unwrap();
    let before = schema(&mut connection);
    let first = super::Migration { name: MIGRATIONS[0].name, sql: MIGRATIONS[0].sql };
    let broken = super::Migration { name: "broken", sql: "CREATE TABLE half (id TEXT NOT NULL PRIMARY KEY) STRICT; NONSENSE;" };
    assert!(migrate_with(&mut connection, &[first, broken]).is_err());
    assert_eq!(schema(&mut connection), before);
    migrate(&mut connection).unwrap();
}

#[test]
fn a_database_without_unicode_is_refused() {
    let whole = TestDatabase::make(|name| {
        let options = "ENCODING 'SQL_ASCII' LC_COLLATE 'C' LC_CTYPE 'C' LOCALE_PROVIDER libc";
        let create = format!("CREATE DATABASE {name} TEMPLATE template0 {options}");
        (create, format!("DROP DATABASE {name} WITH (FORCE)"), vec![("dbname", name.to_owned())])
    });
    let Some(database) = whole else { return };
    let mut connection = Connection::open(&Target::postgres(&database.url).unwrap(), Role::Writer).unwrap();
    let outcome = migrate(&mut connection);
    assert!(matches!(outcome, Err(StoreError::Unsuitable(_))), "{outcome:?}");
}
