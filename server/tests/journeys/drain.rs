use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::stage::{HUNG, SHORT, Stage, connect, exchange, get_request, read_to_close};

#[tokio::test]
async fn a_running_request_is_finished_and_nobody_new_is_let_in() {
    let stage = Stage::start(|_| {}).await;
    let people = stage.people();
    let client = stage.client();
    let mut stream = connect(people, &client, b"").await.unwrap();
    let mut idle = connect(people, &client, b"").await.unwrap();
    let request = get_request("/slow", "");
    let asking = exchange(&mut stream, &request);
    let cues = stage.cues.clone();
    let running = stage.running;
    let stopping = async {
        cues.begun.notified().await;
        let watching = async {
            // The idle connection ends and the port is closed while the request still runs.
            read_to_close(&mut idle).await;
            assert!(TcpStream::connect(people).await.is_err());
            cues.release.notify_one();
        };
        tokio::join!(running.stop(), watching).0
    };
    let (answer, in_time) = tokio::time::timeout(HUNG, async { tokio::join!(asking, stopping) }).await.unwrap();
    assert_eq!(answer.unwrap().body, "slow");
    assert!(in_time);
}

#[tokio::test]
async fn an_event_stream_ends_when_the_server_stops() {
    let stage = Stage::start(|_| {}).await;
    let mut stream = connect(stage.people(), &stage.client(), b"").await.unwrap();
    stream.write_all(get_request("/stream", "").as_bytes()).await.unwrap();
    let mut begun = [0; 15];
    stream.read_exact(&mut begun).await.unwrap();
    let (in_time, rest) = tokio::join!(stage.running.stop(), read_to_close(&mut stream));
    assert!(in_time);
    assert!(String::from_utf8_lossy(&rest).contains("data: one"));
}

#[tokio::test]
async fn a_request_that_does_not_end_is_cut_off_at_the_deadline() {
    let stage = Stage::start(|config| config.limits.drain = SHORT).await;
    let mut stream = connect(stage.people(), &stage.client(), b"").await.unwrap();
    stream.write_all(get_request("/slow", "").as_bytes()).await.unwrap();
    stage.cues.begun.notified().await;
    assert!(!tokio::time::timeout(HUNG, stage.running.stop()).await.unwrap());
    assert!(read_to_close(&mut stream).await.is_empty());
}
