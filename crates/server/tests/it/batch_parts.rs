//! What a batch does that a transcript cannot show.

use crate::harness::{Server, expect};
use reqwest::Method;
use serde_json::{Value, json};
use server::config::Config;

#[tokio::test(flavor = "multi_thread")]
async fn parts_are_throttled_one_by_one() {
    let mut config = Config::default();
    config.limits.burst = 3;
    config.limits.requests_per_second = 1;
    let server = Server::with(config).await;
    // Tokens come back while the batch is at work, but not as many as it has parts.
    let mut parts: Vec<Value> =
        (1..20).map(|i| json!({ "id": i.to_string(), "method": "GET", "url": "/external/industryData/years" })).collect();
    let all: Vec<Value> = parts.iter().map(|part| part["id"].clone()).collect();
    parts.push(json!({ "id": "last", "method": "GET", "url": "/external/industryData/years", "dependsOn": all }));
    let answer = server.send(Method::POST, "/beta/$batch", Some(&json!({ "requests": parts }))).await;
    let answer = expect(answer, 200, "batch").await;
    let answers = answer["responses"].as_array().unwrap();
    assert_eq!(answers[0]["status"], 200, "{answer}");
    let throttled = answers.iter().find(|part| part["status"] == 429).unwrap_or_else(|| panic!("nothing was throttled: {answer}"));
    assert_eq!(throttled["body"]["error"]["code"], "TooManyRequests", "{throttled}");
    assert_eq!(throttled["headers"]["Retry-After"], "1", "{throttled}");
    assert_eq!(answers[19]["status"], 424, "{answer}");
    server.stop().await;
}
