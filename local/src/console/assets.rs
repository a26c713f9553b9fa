//! The embedded files. htmx is vendored from npm (`htmx.org` 2.0.11, 0BSD; `assets/htmx.LICENSE`); the pay button is
//! built and committed in `web`.

use axum::extract::Path;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};

/// Serves a file by name.
pub(super) async fn serve(Path(file): Path<String>) -> Response {
    let (kind, text) = match file.as_str() {
        "console.css" => ("text/css; charset=utf-8", include_str!("../../assets/console.css")),
        "console.js" => ("text/javascript; charset=utf-8", include_str!("../../assets/console.js")),
        "shop.js" => ("text/javascript; charset=utf-8", include_str!("../../assets/shop.js")),
        "htmx.min.js" => ("text/javascript; charset=utf-8", include_str!("../../assets/htmx.min.js")),
        "vk-pay-button.js" => ("text/javascript; charset=utf-8", include_str!("../../../web/dist/vk-pay-button.js")),
        "vk-cashier.js" => ("text/javascript; charset=utf-8", include_str!("../../../web/dist/vk-cashier.js")),
        "icon.svg" => ("image/svg+xml", include_str!("../../assets/icon.svg")),
        _ => return StatusCode::NOT_FOUND.into_response(),
    };
    ([(header::CONTENT_TYPE, kind), (header::CACHE_CONTROL, "no-cache")], text).into_response()
}
