//! What was acknowledged is there after the process was killed.

use crate::testing::{BLOB, World, world};
use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};
use store::{Store, StoreConfig};

const CHILD: &str = "HOMEROOM_TEST_UPLOAD_CHILD";

fn content(number: usize) -> String {
    format!("{number:06},").repeat(100)
}

/// Uploads without end, in each of the three ways, and says what was acknowledged.
async fn upload_and_tell(w: &World) {
    for number in 0.. {
        let (name, body) = (format!("/{}.csv", number % 12), content(number));
        let (front, back) = body.split_at(400);
        let status = match number % 3 {
            0 => w.put(&name, &body).await.status,
            1 => {
                w.send("PUT", &name, "&comp=block&blockid=MQ%3D%3D", &[], front).await;
                w.send("PUT", &name, "&comp=block&blockid=Mg%3D%3D", &[], back).await;
                let list = "<BlockList><Latest>MQ==</Latest><Latest>Mg==</Latest></BlockList>";
                w.send("PUT", &name, "&comp=blocklist", &[BLOB], list).await.status
            }
            _ => {
                w.send("PUT", &name, "&resource=file", &[], "").await;
                w.append(&name, 400, back).await;
                w.append(&name, 0, front).await;
                w.flush(&name, body.len()).await.status - 1 + 2
            }
        };
        assert_eq!(status, 201);
        let mut out = std::io::stdout();
        writeln!(out, "acknowledged {number}").unwrap();
        out.flush().unwrap();
    }
}

#[cfg(unix)]
#[tokio::test]
async fn uploads_are_closed_to_others() {
    use std::os::unix::fs::PermissionsExt as _;
    let w = world().await;
    w.put("/a.csv", "x").await;
    w.append("/b.csv", 0, "x").await;
    for folder in ["", "files", "staging", "staging/arriving", "staging/appends/b.csv"] {
        let mode = std::fs::metadata(w.folder("box").join(folder)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o700, "{folder}");
    }
}

/// The child of the test below; on its own it does nothing.
#[tokio::test]
async fn child() {
    let Ok(dir) = std::env::var(CHILD) else { return };
    let mut w = world().await;
    let store = Store::open(&StoreConfig { data_dir: Path::new(&dir).to_owned(), database_url: None }).unwrap();
    w.service = crate::testing::service(store);
    w.go_to(&w.open("box", false, crate::testing::now()).await);
    upload_and_tell(&w).await;
}

#[tokio::test]
async fn what_was_acknowledged_survives_a_kill() {
    for round in 0..3 {
        let w = world().await;
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "protocol::tests::survival::child", "--nocapture", "--test-threads=1"])
            .env(CHILD, w.dir.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let enough = 20 + round * 7;
        let mut last: BTreeMap<usize, usize> = BTreeMap::new();
        let mut note = |line: &str| {
            let number = line.split_once("acknowledged ").and_then(|(_, number)| number.parse::<usize>().ok());
            if let Some(number) = number {
                last.insert(number % 12, number);
            }
            number.is_some_and(|number| number >= enough)
        };
        while let Some(Ok(line)) = lines.next() {
            if note(&line) {
                break;
            }
        }
        child.kill().unwrap();
        for line in lines.map_while(Result::ok) {
            note(&line);
        }
        child.wait().unwrap();
        assert!(last.len() > 10, "the child did not get far");
        for (file, number) in last {
            let text = w.text(&format!("/{file}.csv")).await;
            // That one, or one that was not acknowledged any more; of the Data Lake also the empty one of its create.
            let later = [content(number + 12), String::new()];
            assert!(text == content(number) || later.contains(&text), "{file}: {text}");
        }
    }
}
