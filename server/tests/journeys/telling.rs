use tokio::net::TcpStream;

use crate::stage::{Answer, Stage, ask, exchange, get_request};

async fn health(stage: &Stage, path: &str) -> Answer {
    let mut stream = TcpStream::connect(stage.running.addresses().health).await.unwrap();
    exchange(&mut stream, &get_request(path, "")).await.unwrap()
}

#[tokio::test]
async fn health_is_told_from_the_start_and_readiness_when_it_is_so() {
    let stage = Stage::start(|_| {}).await;
    assert_eq!(health(&stage, "/healthz").await.status, 200);
    assert_eq!(health(&stage, "/readyz").await.status, 503);
    stage.running.readiness().set(true);
    assert_eq!(health(&stage, "/readyz").await.status, 200);
}

#[tokio::test]
async fn numbers_are_kept_by_route_and_never_by_what_was_asked_for() {
    let stage = Stage::start(|_| {}).await;
    let client = stage.client();
    ask(stage.devices(), &client, "/peer?token=topsecret", "").await;
    assert_eq!(ask(stage.devices(), &client, "/topsecret", "").await.status, 404);
    let numbers = health(&stage, "/metrics").await;
    assert!(numbers.head.contains("content-type: text/plain; version=0.0.4"), "{}", numbers.head);
    for line in [
        r#"keyfob_http_requests_total{listener="devices",route="/peer",method="GET",status="200"}"#,
        r#"keyfob_http_requests_total{listener="devices",route="none",method="GET",status="404"}"#,
        r#"keyfob_http_request_seconds_bucket{listener="devices",route="/peer",le="0.25"}"#,
        r#"keyfob_connections_open{listener="#,
    ] {
        assert!(numbers.body.contains(line), "{line} is missing in {}", numbers.body);
    }
    assert!(!numbers.body.contains("topsecret"));
}

#[tokio::test]
async fn every_answer_has_an_id_of_ours() {
    let stage = Stage::start(|_| {}).await;
    let client = stage.client();
    for path in ["/peer", "/nowhere"] {
        let answer = ask(stage.people(), &client, path, "X-Request-Id: theirs\r\n").await;
        assert!(answer.head.contains("x-request-id: ") && !answer.head.contains("theirs"), "{}", answer.head);
    }
}
