//! A no in the words of the device API.

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use identity::{DeviceErrorCode, Refusal};
use serde_json::json;

/// A refusal that renders itself.
pub(super) struct DeviceRefusal(pub(super) Refusal<DeviceErrorCode>);

impl DeviceRefusal {
    pub(super) fn new(code: DeviceErrorCode, reason: &'static str) -> Self {
        Self(Refusal::new(code, reason))
    }

    /// A body that is not the wanted JSON.
    pub(super) fn malformed(rejection: &JsonRejection) -> Self {
        match rejection.status() {
            StatusCode::PAYLOAD_TOO_LARGE => Self::new(DeviceErrorCode::TooLarge, "body_too_large"),
            StatusCode::UNSUPPORTED_MEDIA_TYPE => Self::new(DeviceErrorCode::UnsupportedMediaType, "not_json"),
            _ => Self::new(DeviceErrorCode::InvalidRequest, "body_malformed"),
        }
    }

    /// A fault of ours, told as such.
    pub(super) fn fault(fault: &app::Fault) -> Self {
        tracing::error!(cause = %fault, "device_api_fault");
        Self::new(DeviceErrorCode::TemporarilyUnavailable, "fault")
    }
}

impl IntoResponse for DeviceRefusal {
    fn into_response(self) -> Response {
        let Refusal { code, reason } = self.0;
        tracing::info!(%code, reason, "device_refused");
        let body = json!({ "error": code.as_str(), "error_description": code.description() });
        let status = StatusCode::from_u16(code.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = (status, Json(body)).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some(seconds) = code.retry_after() {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}
