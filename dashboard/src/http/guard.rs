//! What holds for every request and every answer.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::header::{
    CONTENT_SECURITY_POLICY, HOST, ORIGIN, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use axum::middleware::Next;
use axum::response::Response;

use super::{Shared, host, refusal};

/// A browser runs and shows what this server gives as files, and asks nobody else for anything.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
     img-src 'self' data:; manifest-src 'self'; base-uri 'none'; form-action 'none'; \
     frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'";

const HEADERS: [(HeaderName, &str); 6] = [
    (CONTENT_SECURITY_POLICY, POLICY),
    (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (X_FRAME_OPTIONS, "DENY"),
    (REFERRER_POLICY, "no-referrer"),
    (
        HeaderName::from_static("cross-origin-opener-policy"),
        "same-origin",
    ),
    (
        HeaderName::from_static("cross-origin-resource-policy"),
        "same-origin",
    ),
];

/// The header by which a page shows that this server gave it.
const PROOF: &str = "x-csrf-token";

/// Lets own requests pass, and gives every answer the headers that protect it.
pub(super) async fn guard(
    State(shared): State<Arc<Shared>>,
    request: Request,
    next: Next,
) -> Response {
    let mut response = match refused(&shared, &request) {
        Some(response) => response,
        None => next.run(request).await,
    };
    let headers = response.headers_mut();
    for (name, value) in HEADERS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

fn refused(shared: &Shared, request: &Request) -> Option<Response> {
    let headers = request.headers();
    let host = text(headers, &HOST).unwrap_or_default();
    if !host::is_own(host, &shared.names) {
        let words =
            "this server is not called by that name; if it is to be, start it with --name NAME";
        return Some(refusal(StatusCode::MISDIRECTED_REQUEST, words));
    }
    match *request.method() {
        Method::GET | Method::HEAD => None,
        Method::POST => {
            let origin = text(headers, &ORIGIN).unwrap_or_default();
            let proof = headers.get(PROOF).and_then(|value| value.to_str().ok());
            let cookie = cookie(headers, shared.access.cookie()).unwrap_or_default();
            let is_own = host::is_same_origin(origin, host)
                && proof.is_some_and(|proof| shared.access.is_proof(cookie, proof));
            let words = "this request does not come from a page of this server, or from one that is too \
                         old; load the page again";
            (!is_own).then(|| refusal(StatusCode::FORBIDDEN, words))
        }
        _ => Some(refusal(
            StatusCode::METHOD_NOT_ALLOWED,
            "this server knows GET, HEAD and POST",
        )),
    }
}

fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

/// The value of a cookie.
pub(super) fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let cookies = headers.get_all("cookie").iter();
    let cookies = cookies.filter_map(|value| value.to_str().ok());
    let mut pairs = cookies.flat_map(|cookies| cookies.split(';'));
    pairs.find_map(|pair| pair.trim().strip_prefix(name)?.strip_prefix('='))
}
