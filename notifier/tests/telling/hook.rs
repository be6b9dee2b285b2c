//! Servers that take webhooks.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use hmac::{Hmac, Mac};
use serde_json::Value;
use sha2::Sha256;
use tokio::net::TcpListener;

use crate::scene::{SECRET, TOKEN};

/// A request that was signed rightly.
#[derive(Debug, Clone)]
pub(crate) struct Taken {
    pub(crate) id: String,
    pub(crate) at: String,
    pub(crate) signature: String,
    pub(crate) body: Bytes,
}

impl Taken {
    pub(crate) fn document(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

/// A server that takes what is signed rightly, keeps it, and answers as it is told to.
#[derive(Clone, Default)]
pub(crate) struct Hook {
    taken: Arc<Mutex<Vec<Taken>>>,
    answers: Arc<Mutex<Vec<Answer>>>,
}

/// How a request is answered.
#[derive(Debug, Clone)]
pub(crate) enum Answer {
    /// With this, and a word.
    Status(StatusCode),
    /// By sending elsewhere.
    Redirect(String),
    /// With all that it was sent, and the secret.
    Echo,
    /// Never.
    Never,
}

impl Hook {
    pub(crate) async fn serve(&self) -> SocketAddr {
        let own = self.clone();
        let take = move |uri: Uri, headers: HeaderMap, body: Bytes| async move {
            let answer = own.take(&headers, body);
            respond(answer, &uri, &headers).await
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = Router::new().fallback(take);
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        address
    }

    /// The next answer; those that were given before come after it.
    pub(crate) fn answers(&self, answer: Answer) {
        self.answers.lock().unwrap().push(answer);
    }

    /// Forgets the answers that were not given yet.
    pub(crate) fn answer_from_now_on(&self) {
        self.answers.lock().unwrap().clear();
    }

    fn take(&self, headers: &HeaderMap, body: Bytes) -> Answer {
        let header = |name: &str| headers[name].to_str().unwrap().to_owned();
        let (id, at) = (header("webhook-id"), header("webhook-timestamp"));
        let mut mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).unwrap();
        mac.update(format!("{id}.{at}.").as_bytes());
        mac.update(&body);
        let signature = header("webhook-signature");
        let signed = BASE64.decode(signature.strip_prefix("v1,").unwrap());
        mac.verify_slice(&signed.unwrap()).unwrap();
        let age = jiff::Timestamp::now().as_second() - at.parse::<i64>().unwrap();
        assert!((-1..300).contains(&age));
        self.taken.lock().unwrap().push(Taken {
            id,
            at,
            signature,
            body,
        });
        let answer = self.answers.lock().unwrap().pop();
        answer.unwrap_or(Answer::Status(StatusCode::NO_CONTENT))
    }

    pub(crate) fn taken(&self) -> Vec<Taken> {
        self.taken.lock().unwrap().clone()
    }

    pub(crate) fn ids(&self) -> Vec<String> {
        self.taken().into_iter().map(|taken| taken.id).collect()
    }
}

async fn respond(answer: Answer, uri: &Uri, headers: &HeaderMap) -> Response {
    match answer {
        Answer::Status(status) => (status, "noted").into_response(),
        Answer::Redirect(to) => {
            (StatusCode::TEMPORARY_REDIRECT, [("location", to)], "").into_response()
        }
        Answer::Echo => {
            let said = format!("nothing at {uri} for {headers:?}, {SECRET}");
            (StatusCode::NOT_FOUND, said).into_response()
        }
        Answer::Never => std::future::pending().await,
    }
}

/// The notification `name`, which goes there.
pub(crate) fn webhook(name: &str, address: SocketAddr) -> String {
    format!(
        "[notifications.{name}]\ntype = \"webhook\"\nurl = \"http://{address}/hook/{TOKEN}?token={TOKEN}\"\n\
         secret_file = \"SECRET_FILE\"\nattempts = 3\n"
    )
}
