use std::os::unix::fs::PermissionsExt;

use axum::Router;
use axum::extract::Extension;
use axum::routing::get;
use http::{Method, StatusCode};
use serde_json::json;
use server::command::{Admin, AdminError};
use server::data::DataFolder;

use crate::stage::Stage;

#[tokio::test]
async fn commands_reach_a_running_server_by_its_socket_and_are_local_there() {
    let stage = Stage::start(|_| {}).await;
    let mode = std::fs::metadata(stage.data.socket()).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let admin = Admin::connect(&stage.data, async |_| -> Result<Router, AdminError> { panic!("a server runs") });
    let admin = admin.await.unwrap();
    let (status, seen) = admin.json(Method::GET, "/peer", None).await.unwrap();
    assert_eq!((status, &seen["local"]), (StatusCode::OK, &json!(true)));
    let (_, length) = admin.json(Method::POST, "/echo", Some(&json!({ "a": 1 }))).await.unwrap();
    assert_eq!(length, json!(7));
    assert_eq!(admin.json(Method::GET, "/nowhere", None).await.unwrap().0, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn without_a_server_the_command_holds_the_folder_itself() {
    let folder = tempfile::tempdir().unwrap();
    let data = DataFolder::open(&folder.path().join("data")).unwrap();
    let routes = async |_: &_| -> Result<Router, AdminError> {
        let local = get(async |Extension(peer): Extension<authority::Peer>| peer.local.to_string());
        Ok(Router::new().route("/local", local))
    };
    let admin = Admin::connect(&data, routes).await.unwrap();
    assert_eq!(admin.json(Method::GET, "/local", None).await.unwrap().1, json!(true));
    assert!(data.lock().is_err());
    drop(admin);
    data.lock().unwrap();
}

#[tokio::test]
async fn a_folder_that_is_held_in_silence_is_told_so() {
    let folder = tempfile::tempdir().unwrap();
    let data = DataFolder::open(&folder.path().join("data")).unwrap();
    let _lock = data.lock().unwrap();
    let admin = Admin::connect(&data, async |_| -> Result<Router, AdminError> { panic!("the folder is held") });
    let refused = admin.await.unwrap().json(Method::GET, "/", None).await.unwrap_err();
    assert!(matches!(refused, AdminError::Silent { .. }), "{refused}");
}
